"""Learned proposals: the same boxes and queries for every image (Sparse R-CNN, section 3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qivis.models.outputs import InitialQueries
from qivis.ops.boxes import cxcywh_to_xyxy


class LearnedQueries(nn.Module):
    """Q boxes, as shares of the image, and Q query vectors."""

    def __init__(self, num_queries: int, width: int) -> None:
        super().__init__()
        self.boxes = nn.Embedding(num_queries, 4)  # centre x y, width, height in [0, 1]
        self.features = nn.Embedding(num_queries, width)
        with torch.no_grad():
            self.boxes.weight.copy_(torch.tensor([0.5, 0.5, 1.0, 1.0]))

    def forward(
        self,
        pyramid: Sequence[Tensor],  # noqa: ARG002
        grids: Tensor,
    ) -> InitialQueries:
        """The start for a batch.

        Args:
            pyramid: not looked at; featurized queries, called the same way, do.
            grids: (B, 2), width and height of each image without its padding, which boxes are
                shares of.
        """
        shares = self.boxes.weight
        return InitialQueries(
            boxes=cxcywh_to_xyxy(shares) * grids.repeat(1, 2)[:, None],
            queries=self.features.weight.expand(grids.shape[0], -1, -1),
        )
