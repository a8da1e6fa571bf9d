"""One object over a whole video, and all objects of a clip."""

from dataclasses import dataclass
from fractions import Fraction

from qivis.ops.rle import Rle
from qivis.structures.categories import Categories

__all__ = ["Rle", "Track", "TrackedClip", "View"]


@dataclass(frozen=True)
class View:
    """An object as one frame shows it.

    mask: at least one pixel, at the frame's resolution.
    score: of the detection, in [0, 1].
    likeness: how much it looks as its track did before; see `TrackedDetections`.
    """

    mask: Rle
    score: float
    likeness: float


@dataclass(frozen=True)
class Track:
    """One object of a video of T frames; at least one of them shows it.

    track_id: from 0, unique in the video.
    label: class index in [0, K).
    views: T entries, None where the object is not seen.
    """

    track_id: int
    label: int
    views: tuple[View | None, ...]

    @property
    def masks(self) -> tuple[Rle | None, ...]:
        """T entries, None where the object is not seen."""
        return tuple(view.mask if view else None for view in self.views)

    @property
    def score(self) -> float:
        """In [0, 1], the mean over the frames in which the object is seen."""
        scores = [view.score for view in self.views if view]
        return sum(scores) / len(scores)

    @property
    def num_seen(self) -> int:
        """Frames in which the object is seen."""
        return len(self.views) - self.views.count(None)


@dataclass(frozen=True)
class TrackedClip:
    """What was found in a clip of T frames.

    size: (H, W) of its frames.
    fps: frames a second on average.
    times: T entries, seconds from the start of the clip; None for a frame that could not be
        decoded, in which no object is seen.
    categories: what the labels mean.
    tracks: by id; each has T views.
    """

    size: tuple[int, int]
    fps: Fraction
    times: tuple[float | None, ...]
    categories: Categories
    tracks: tuple[Track, ...]
