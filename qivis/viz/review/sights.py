"""What the review compares of a track from frame to frame: where its mask is, and how large."""

from dataclasses import dataclass
from math import hypot, sqrt

from qivis.ops import rle
from qivis.structures import Track, View

RIM = 0.01  # of the frame's shorter side; masks are coarse, and rarely reach the last pixel


@dataclass(frozen=True)
class Sight:
    """An object in a frame that shows it.

    frame: index.
    x, y: centre of the box around the mask, in pixels.
    diagonal: of that box, in pixels.
    area: of the mask, in pixels.
    is_cut: whether it is at the border of the frame, so that there may be more of it outside.
    view: what the track says of the frame.
    """

    frame: int
    x: float
    y: float
    diagonal: float
    area: int
    is_cut: bool
    view: View


def sights(track: Track) -> list[Sight]:
    """Where a track is seen, in time order; at least one."""
    return [_sight(frame, view) for frame, view in enumerate(track.views) if view]


def closeness(one: Sight, other: Sight) -> float:
    """How well two masks could be of one object at rest, in [0, 1].

    1 for equal centres and areas. It falls linearly with the distance of the centres, to 0 at the
    mean of the two diagonals, and with the square root of the ratio of the areas, so that an object
    of which a quarter is left to see keeps half. An area that the border cuts says nothing.
    """
    return nearness(hypot(one.x - other.x, one.y - other.y), one, other)


def nearness(distance: float, one: Sight, other: Sight) -> float:
    """`closeness` for a distance of the centres in pixels that the caller knows better."""
    reach = (one.diagonal + other.diagonal) / 2
    return max(0.0, 1 - distance / reach) * sqrt(_size_ratio(one, other))


def _size_ratio(one: Sight, other: Sight) -> float:
    if one.is_cut or other.is_cut:
        return 1.0
    small, large = sorted((one.area, other.area))
    return small / large


def _sight(frame: int, view: View) -> Sight:
    left, top, width, height = rle.to_box(view.mask)
    frame_height, frame_width = view.mask["size"]
    to_border = min(left, top, frame_width - left - width, frame_height - top - height)
    return Sight(
        frame=frame,
        x=left + width / 2,
        y=top + height / 2,
        diagonal=hypot(width, height),
        area=rle.area(view.mask),
        is_cut=to_border <= RIM * min(view.mask["size"]),
        view=view,
    )
