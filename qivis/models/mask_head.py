"""Dynamic mask head: the query filters its box's features, convolutions draw the mask.

(QueryInst, section 3.2; mmdetection DynamicMaskHead.)
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from qivis.models.dynamic_conv import DynamicConv
from qivis.models.synced_norm import SyncedBatchNorm

NUM_CONVS = 4
GROUPS = 8

NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    "batch": SyncedBatchNorm,
    "group": lambda width: nn.GroupNorm(GROUPS, width),
}


class MaskHead(nn.Module):
    """RoI features on an S x S grid to mask logits of one class on a 2S x 2S grid."""

    def __init__(
        self, *, num_classes: int, width: int, dynamic_width: int, grid: int, norm: str
    ) -> None:
        """Args: norm: a key of `NORMS`. grid: S."""
        super().__init__()
        self.interact = DynamicConv(width, dynamic_width)
        layers: list[nn.Module] = []
        for _ in range(NUM_CONVS):
            conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            layers += [conv, NORMS[norm](width), nn.ReLU(inplace=True)]
        self.convs = nn.Sequential(*layers)
        self.upsample = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.logits = ClassLogits(width, num_classes)
        self.grid = grid
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        assert self.logits.bias is not None, "mask logits have a bias"
        nn.init.zeros_(self.logits.bias)

    def forward(self, queries: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """Draw masks.

        Args:
            queries: (P, D), after self-attention.
            features: (P, S * S, D), RoI features of the refined boxes.
            labels: (P,) int64, the class that each mask is for.

        Returns:
            (P, 2S, 2S) logits.
        """
        features = self.interact(queries, features)
        grid = features.unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        logits: Tensor = self.logits(self.upsample(self.convs(grid)).relu_(), labels)
        return logits


class ClassLogits(nn.Conv2d):
    """A 1 x 1 convolution with a channel a class, of which each map's own is taken."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__(width, num_classes, 1)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        """(P, D, H, W) and labels (P,) to (P, H, W)."""
        maps = torch.arange(labels.shape[0], device=labels.device)
        return super().forward(features)[maps, labels]
