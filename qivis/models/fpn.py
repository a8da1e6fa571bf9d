"""Feature pyramid network (Lin et al. 2017): four levels of one width."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Fpn(nn.Module):
    """Lateral 1 x 1 convolutions, nearest upsampling, 3 x 3 output convolutions; no norm."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        """Args: channels: of the backbone's maps, finest first. width: of the pyramid."""
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.output = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        for conv in (*self.lateral, *self.output):
            nn.init.xavier_uniform_(conv.weight)
            nn.init.zeros_(conv.bias)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, C, H, W), finest first, to as many (B, width, H, W)."""
        levels = self.sums(features)
        return tuple(output(level) for output, level in zip(self.output, levels, strict=True))

    def sums(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What is convolved at last: lateral convolutions, with all coarser ones on top."""
        levels = [lateral(level) for lateral, level in zip(self.lateral, features, strict=True)]
        for finer in range(len(levels) - 2, -1, -1):
            above = F.interpolate(levels[finer + 1], size=features[finer].shape[-2:])
            levels[finer] = levels[finer] + above
        return levels
