"""What association needs of the detections of a frame: little, for it copies rows many times."""

from dataclasses import dataclass

from torch import Tensor

from qivis.structures import Detections, Record
from qivis.tracking.affinity import unit_length
from qivis.tracking.mask_grids import draw_grids

GRID_SIDE = 16  # cells across a remembered mask: a quarter of a kilobyte


@dataclass(frozen=True)
class Sightings(Record):
    """N distinct objects of a frame, best score first, on the CPU.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels.
    labels: (N,) int64 in [0, K).
    scores: (N,) float32 in [0, 1].
    looks: (N, E) float32 of length 1; E = 0 where nobody asks.
    grids: (N, S, S) bool, which cells of its box each covers; S = 0 where nobody asks.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    looks: Tensor
    grids: Tensor


def sight_looks(detections: Detections, rows: Tensor) -> Sightings:
    """Of (N,) chosen detections of a frame, on the CPU, what they look like, and no masks."""
    return Sightings(
        size=detections.size,
        boxes=detections.boxes[rows],
        labels=detections.labels[rows],
        scores=detections.scores[rows],
        looks=unit_length(detections.embeddings[rows]),
        grids=detections.masks[rows, :0, :0],
    )


def sight_masks(detections: Detections, rows: Tensor) -> Sightings:
    """Of (N,) chosen detections of a frame, on the CPU, the masks, and no looks."""
    boxes = detections.boxes[rows]
    return Sightings(
        size=detections.size,
        boxes=boxes,
        labels=detections.labels[rows],
        scores=detections.scores[rows],
        looks=detections.embeddings[rows, :0],
        grids=draw_grids(detections.masks, rows, boxes, GRID_SIDE),
    )
