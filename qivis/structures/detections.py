"""What the model sees in one frame, before and after the tracker has named it."""

from dataclasses import dataclass

from torch import Tensor

from qivis.ops.shapes import check_shapes
from qivis.structures.record import Record


@dataclass(frozen=True)
class Detections(Record):
    """The detected objects of one frame, in the original frame's pixels, best score first.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels; not clipped to the frame.
    labels: (N,) int64, class indices in [0, K).
    scores: (N,) float32 in [0, 1].
    masks: (N, H, W) bool.
    embeddings: (N, E) float32; what the tracker compares across frames.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    masks: Tensor
    embeddings: Tensor

    def __post_init__(self) -> None:
        check_shapes(
            boxes=(self.boxes, "n 4"),
            labels=(self.labels, "n"),
            scores=(self.scores, "n"),
            masks=(self.masks, "n h w"),
            embeddings=(self.embeddings, "n e"),
        )


@dataclass(frozen=True)
class TrackedDetections(Detections):
    """Detections with identities.

    track_ids: (N,) int64 from 0, unique in the frame, stable over the video.
    likeness: (N,) float32 in [-1, 1], the cosine of its embedding and what its track remembers from
        earlier frames; 1 for a new object, and where the tracker does not compare embeddings.
    """

    track_ids: Tensor
    likeness: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shapes(
            boxes=(self.boxes, "n 4"),
            track_ids=(self.track_ids, "n"),
            likeness=(self.likeness, "n"),
        )
