"""What association needs of the detections of a frame: little, for it copies rows many times."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qivis.structures import Detections, Record
from qivis.tracking.affinity import unit_length
from qivis.tracking.mask_grids import draw_grids

GRID_SIDE = (
    12  # cells across a remembered mask, 144 bytes: IoU within about 0.02 of that of the pixels
)


@dataclass(frozen=True)
class Sightings(Record):
    """N distinct objects of a frame, best score first, on the CPU.

    rows: (N,) int64, which detections of the frame they are.
    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels.
    labels: (N,) int64 in [0, K).
    scores: (N,) float32 in [0, 1], of the label.
    class_scores: (N, K) float32 in [0, 1], of every class that was detected there; else 0.
    looks: (N, E) float32 of length 1; E = 0 where nobody asks.
    grids: (N, S, S) bool, which cells of its box each covers; S = 0 where nobody asks.
    """

    rows: Tensor
    boxes: Tensor
    labels: Tensor
    scores: Tensor
    class_scores: Tensor
    looks: Tensor
    grids: Tensor


def sight_looks(detections: Detections, rows: Tensor, stand_ins: Tensor) -> Sightings:
    """What objects look like, and no masks.

    Args:
        detections: of a frame, on the CPU.
        rows: (P,) int64, those in question, best score first.
        stand_ins: (P,) int64, which of them stands for each; see `duplicates.stand_ins`.
    """
    seen = _sight(detections, rows, stand_ins)
    embeddings = detections.embeddings[seen.rows]
    # One that is not finite would make that of every track it is compared with so.
    usable = embeddings.isfinite().all(dim=1, keepdim=True)
    return replace(seen, looks=unit_length(embeddings.where(usable, 0)))


def sight_masks(detections: Detections, rows: Tensor, stand_ins: Tensor) -> Sightings:
    """The masks of objects, and no looks; arguments as of `sight_looks`."""
    seen = _sight(detections, rows, stand_ins)
    return replace(seen, grids=draw_grids(detections.masks, seen.rows, seen.boxes, GRID_SIDE))


def _sight(detections: Detections, rows: Tensor, stand_ins: Tensor) -> Sightings:
    """Neither looks nor masks."""
    remains = stand_ins == torch.arange(len(stand_ins))
    chosen, objects = rows[remains], remains.cumsum(dim=0) - 1
    counted = stand_ins >= 0
    return Sightings(
        size=detections.size,
        rows=chosen,
        boxes=detections.boxes[chosen],
        labels=detections.labels[chosen],
        scores=detections.scores[chosen],
        class_scores=_class_scores(
            detections, rows[counted], objects[stand_ins[counted]], len(chosen)
        ),
        looks=detections.embeddings.new_empty(len(chosen), 0),
        grids=detections.masks.new_empty(len(chosen), 0, 0),
    )


def _class_scores(
    detections: Detections, rows: Tensor, objects: Tensor, num_objects: int
) -> Tensor:
    """(N, K), the best score with which each class is among (P,) detections of N objects."""
    labels, scores = detections.labels[rows], detections.scores[rows]
    num_classes = max(labels.tolist(), default=0) + 1
    nothing = scores.new_zeros(num_objects * num_classes)
    best = nothing.scatter_reduce(0, objects * num_classes + labels, scores, "amax")
    return best.view(num_objects, num_classes)
