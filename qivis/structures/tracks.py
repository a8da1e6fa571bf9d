"""One object over a whole video."""

from dataclasses import dataclass

from qivis.ops.rle import Rle

__all__ = ["Rle", "Track"]


@dataclass(frozen=True)
class Track:
    """One object of a video of T frames.

    track_id: from 0, unique in the video.
    label: class index in [0, K).
    score: in [0, 1], the mean over the frames in which the object is seen.
    masks: T entries, None where the object is not seen.
    """

    track_id: int
    label: int
    score: float
    masks: tuple[Rle | None, ...]
