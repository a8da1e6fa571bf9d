"""Tracked objects on their frame: a veil and a contour each, and a tag that says what it is.

Only numpy and Pillow, so that it works where OpenCV does not.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import Tensor

from qivis.structures import Frame, Sample, TrackedDetections
from qivis.viz.palette import color

VEIL = 0.38  # opacity of the colour over the object
RIM = 0.35  # opacity of the dark line around the contour, which shows it on a light ground
TAG = 0.92  # opacity of the tag
TEXT_COLOR = (17, 17, 20)
SMALLEST_TEXT = 12  # pixels
LINES_OF_TEXT = 38  # that a frame would hold from top to bottom
LINES_OF_CONTOUR = 360  # that a frame would hold, side by side
SMOOTHING = 4  # tags are drawn this much larger, then shrunk, so that their corners are round

# Sigmas from a straight edge at which a blur has made 0 .. 255 of the step from 0 to 255.
DISTANCES = np.array([NormalDist().inv_cdf((value + 0.5) / 256) for value in range(256)], "f4")

Pixels = NDArray[np.uint8]


class Rect(NamedTuple):
    """Whole pixels; right and bottom are not inside."""

    left: int
    top: int
    right: int
    bottom: int


def draw(frame: Frame | Tensor, tracked: TrackedDetections, names: Sequence[str] = ()) -> Pixels:
    """Draw objects on a frame, small ones over large ones.

    Args:
        frame: or its image, (3, H, W) uint8 RGB, of the size of `tracked`.
        tracked: N objects of this frame.
        names: of the K classes; without them, tags tell ids and scores alone.

    Returns:
        (H, W, 3) uint8 RGB, a new picture.
    """
    image = frame.image if isinstance(frame, Frame) else frame
    ids, labels, scores = (
        values.tolist() for values in (tracked.track_ids, tracked.labels, tracked.scores)
    )
    tags = [f"{number} {score:.2f}" for number, score in zip(ids, scores, strict=True)]
    if names:
        tags = [f"{names[label]} {tag}" for label, tag in zip(labels, tags, strict=True)]
    return _draw_objects(image, tracked.masks, tracked.boxes, [color(i) for i in ids], tags)


def draw_annotated(sample: Sample, names: Sequence[str]) -> Pixels:
    """Draw the annotated objects of a frame, each in the colour of its class and with its name.

    Args:
        sample: with N objects.
        names: of the K classes.

    Returns:
        (H, W, 3) uint8 RGB, a new picture.
    """
    targets = sample.targets
    labels = targets.labels.tolist()
    colors, tags = [color(label) for label in labels], [names[label] for label in labels]
    return _draw_objects(sample.image, targets.masks, targets.boxes, colors, tags)


def _draw_objects(
    image: Tensor,
    masks: Tensor,
    boxes: Tensor,
    colors: Sequence[tuple[int, int, int]],
    tags: Sequence[str],
) -> Pixels:
    """Veils, contours and tags of N objects; boxes (N, 4) are for masks without pixels."""
    picture = Image.fromarray(np.array(image.permute(1, 2, 0).cpu().numpy(), order="C"))
    bitmaps = masks.cpu().numpy()
    extents = [
        _extent(bitmap) or _around(box) for bitmap, box in zip(bitmaps, boxes.tolist(), strict=True)
    ]
    from_large = np.argsort(-bitmaps.sum(axis=(1, 2)), kind="stable").tolist()
    for row in from_large:
        _draw_mask(picture, bitmaps[row], extents[row], colors[row])
    taken: list[Rect] = []
    for row in from_large:
        taken.append(_draw_tag(picture, tags[row], extents[row], colors[row], taken))
    return np.array(picture)


def _extent(mask: NDArray[np.bool_]) -> Rect | None:
    """The tightest rectangle around the set pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _around(box: Sequence[float]) -> Rect:
    left, top, right, bottom = (round(value) for value in box)
    return Rect(left, top, right, bottom)


def _draw_mask(
    picture: Image.Image, mask: NDArray[np.bool_], extent: Rect, rgb: tuple[int, int, int]
) -> None:
    """Veil and contour, in place."""
    height, width = mask.shape
    thickness = max(1.5, height / LINES_OF_CONTOUR)
    margin = 4 + 2 * int(thickness)
    left, top = max(extent.left - margin, 0), max(extent.top - margin, 0)
    right, bottom = min(extent.right + margin, width), min(extent.bottom + margin, height)
    # The blur takes the steps of the pixel grid out of the edge.
    pixels = mask[top:bottom, left:right].astype(np.uint8) * 255
    soft = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(_sigma(thickness)))
    for paint, opacity in zip(((0, 0, 0), rgb), _opacities(thickness), strict=True):
        picture.paste(paint, (left, top), soft.point(opacity))


def _sigma(thickness: float) -> float:
    return max(1.2, 0.8 * thickness)


@lru_cache
def _opacities(thickness: float) -> tuple[list[int], ...]:
    """Of the rim, and of veil and line together, in 0 .. 255; the blurred mask is 0 .. 255."""
    inside = _sigma(thickness) * DISTANCES  # pixels to the nearest edge, negative outside
    rim = RIM * np.clip(thickness / 2 + 1.5 - np.abs(inside), 0, 1) * (inside < 0)
    veil = VEIL * np.clip(inside + 0.5, 0, 1)
    line = np.clip(thickness / 2 + 0.5 - np.abs(inside), 0, 1)
    both = 1 - (1 - veil) * (1 - line)
    return tuple(np.rint(255 * opacity).astype(int).tolist() for opacity in (rim, both))


def _draw_tag(
    picture: Image.Image, text: str, extent: Rect, rgb: tuple[int, int, int], taken: list[Rect]
) -> Rect:
    """Draw a tag, in place, and tell where it is."""
    font = _font(max(SMALLEST_TEXT, round(picture.height / LINES_OF_TEXT)))
    ascent, descent = font.getmetrics()
    pad = round(0.3 * ascent)
    width, height = round(font.getlength(text)) + 2 * pad, ascent + descent + pad // 2
    place = _free_place(picture.size, (width, height), extent, taken)
    shape = Image.new("L", (SMOOTHING * width, SMOOTHING * height))
    ImageDraw.Draw(shape).rounded_rectangle(
        (0, 0, SMOOTHING * width - 1, SMOOTHING * height - 1),
        radius=SMOOTHING * height * 0.28,
        fill=round(255 * TAG),
    )
    picture.paste(rgb, (place.left, place.top), shape.resize((width, height), Image.Resampling.BOX))
    ImageDraw.Draw(picture).text(
        (place.left + pad, place.top + pad // 4), text, fill=TEXT_COLOR, font=font
    )
    return place


def _free_place(
    frame: tuple[int, int], tag: tuple[int, int], extent: Rect, taken: Sequence[Rect]
) -> Rect:
    """Where a tag hides no other, if there is such a place near its object.

    Args:
        frame, tag: (width, height) in pixels.
        extent: of the object.
        taken: places of other tags.
    """
    places = [_kept_within(frame, tag, corner) for corner in _corners(tag, extent)]
    free = (place for place in places if not any(_overlap(place, other) for other in taken))
    return next(free, places[0])


def _corners(tag: tuple[int, int], extent: Rect) -> Iterator[tuple[int, int]]:
    """Left top corners for a tag, best first: above the object, at its top, then further down."""
    width, height = tag
    yield extent.left, extent.top - height - 2
    yield extent.right - width, extent.top - height - 2
    for line in range(8):
        yield extent.left, extent.top + 2 + line * (height + 2)


def _kept_within(frame: tuple[int, int], tag: tuple[int, int], corner: tuple[int, int]) -> Rect:
    left = max(min(corner[0], frame[0] - tag[0]), 0)
    top = max(min(corner[1], frame[1] - tag[1]), 0)
    return Rect(left, top, left + tag[0], top + tag[1])


def _overlap(one: Rect, other: Rect) -> bool:
    return max(one.left, other.left) < min(one.right, other.right) and max(
        one.top, other.top
    ) < min(one.bottom, other.bottom)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built with FreeType"
    return font
