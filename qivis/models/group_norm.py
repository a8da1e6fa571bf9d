"""Group norm of small bfloat16 maps with the channels last, where PyTorch's own is slow on CPUs.

PyTorch goes through such maps group by group, a few channels at a time. Summing whole rows of
channels first takes a third of the time; in float32, whose vectors are half as long, about as much.
"""

import torch
from torch import Tensor, nn

# Of a map; from so many on PyTorch itself sums whole rows of channels (torch 2.14,
# `aten/src/ATen/native/cpu/group_norm_kernel.cpp`).
MOST_PIXELS = 1024


class SmallGroupNorm(nn.GroupNorm):
    """Group norm for inference on CPUs; of maps that are not of that kind, PyTorch's."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        """Args: norm: whose weights it has; it has some."""
        super().__init__(norm.num_groups, norm.num_channels, norm.eps, device="meta")
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to the same; sums are float32."""
        pixels = input.shape[2] * input.shape[3]
        last = input.is_contiguous(memory_format=torch.channels_last)
        if pixels >= MOST_PIXELS or not last or input.dtype != torch.bfloat16:
            by_pytorch: Tensor = super().forward(input)
            return by_pytorch
        rows = input.permute(0, 2, 3, 1).flatten(1, 2).float()  # (B, H * W, C)
        width = rows.shape[2] // self.num_groups
        groups, count = (-1, self.num_groups, width), pixels * width
        mean = rows.sum(dim=1).view(groups).sum(dim=2, keepdim=True) / count  # (B, G, 1)
        square = rows.square().sum(dim=1).view(groups).sum(dim=2, keepdim=True) / count
        scale = (square - mean.square()).clamp_(min=0).add_(self.eps).rsqrt_()
        scale = scale * self.weight.float().view(groups)  # (B, G, C / G)
        shift = self.bias.float().view(groups) - mean * scale
        normed = torch.addcmul(shift.flatten(1)[:, None], rows, scale.flatten(1)[:, None])
        return normed.to(input.dtype).view(-1, *input.shape[2:], input.shape[1]).permute(0, 3, 1, 2)
