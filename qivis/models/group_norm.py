"""Group norm of small bfloat16 maps with the channels last, where PyTorch's own is slow on CPUs.

PyTorch goes through such maps a few channels at a time. With the channels first it is fast enough
to make up for two copies; in float32, whose vectors are half as long, it does not.
"""

import torch
from torch import Tensor, nn

# Of a map; from so many on PyTorch goes through all channels at a time (torch 2.14,
# `aten/src/ATen/native/cpu/group_norm_kernel.cpp`).
MOST_PIXELS = 1024


class SmallGroupNorm(nn.GroupNorm):
    """Group norm for inference on CPUs; of maps that are not of that kind, as ever."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        """Args: norm: whose weights it has; it has some."""
        super().__init__(norm.num_groups, norm.num_channels, norm.eps, device="meta")
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        if self._is_slow(input):
            normed: Tensor = super().forward(input.contiguous())
            return normed.contiguous(memory_format=torch.channels_last)
        return super().forward(input)

    @staticmethod
    def _is_slow(maps: Tensor) -> bool:
        small = maps.shape[2] * maps.shape[3] < MOST_PIXELS and maps.dtype == torch.bfloat16
        return small and maps.is_contiguous(memory_format=torch.channels_last)
