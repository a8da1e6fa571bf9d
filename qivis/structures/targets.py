"""What annotations say of one frame."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from qivis.ops.shapes import check_shapes
from qivis.structures.record import Record


@dataclass(frozen=True)
class Targets(Record):
    """The annotated objects of one frame.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of `size`.
    labels: (N,) int64, class indices in [0, K).
    masks: (N, H, W) bool.
    ids: (N,) int64, what the data set calls each object; the same object has one id in all frames.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    ids: Tensor

    def __post_init__(self) -> None:
        check_shapes(
            boxes=(self.boxes, "n 4"),
            labels=(self.labels, "n"),
            ids=(self.ids, "n"),
            masks=(self.masks, "n h w"),
        )

    @classmethod
    def empty(cls, size: tuple[int, int]) -> Self:
        """No object on a grid of (H, W) `size`."""
        return cls(
            size=size,
            boxes=torch.zeros(0, 4),
            labels=torch.zeros(0, dtype=torch.int64),
            masks=torch.zeros(0, *size, dtype=torch.bool),
            ids=torch.zeros(0, dtype=torch.int64),
        )
