"""Max pooling after a ReLU in bfloat16, where PyTorch's own takes four times as long on CPUs."""

import torch
from torch import Tensor, nn


class PooledRelu(nn.MaxPool2d):
    """Max pooling 3 x 3 of stride 2 with one pixel of padding, of maps without negative numbers.

    Those of bfloat16 are in the order of their bits, and whole numbers compare faster, a side at a
    time. In float32 that gains nothing.
    """

    def __init__(self) -> None:
        super().__init__(3, stride=2, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / 2, W / 2), rounded up."""
        if input.dtype != torch.bfloat16 or input.shape[2] % 2 or input.shape[3] % 2:
            pooled: Tensor = super().forward(input)
            return pooled
        maps = input.view(torch.int16)
        for side in (2, 3):
            maps = _largest_of_three(maps, side)
        return maps.view(input.dtype)


def suits_pooled_relu(pool: nn.MaxPool2d) -> bool:
    """Whether a layer pools as `PooledRelu` does."""
    return (pool.kernel_size, pool.stride, pool.padding, pool.dilation) == (3, 2, 1, 1)


def _largest_of_three(maps: Tensor, side: int) -> Tensor:
    """Along a side, of 2N: the largest at 2n - 1, 2n and 2n + 1, for each of N; none before 0."""
    even, odd = maps.unflatten(side, (-1, 2)).unbind(side + 1)
    largest = torch.maximum(even, odd)
    rest = largest.narrow(side, 1, largest.shape[side] - 1)
    torch.maximum(rest, odd.narrow(side, 0, rest.shape[side]), out=rest)
    return largest
