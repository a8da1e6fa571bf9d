"""Depthwise convolutions whose kernels of 5 x 5 learn about as fast as those of 3 x 3.

For the gradient of a depthwise kernel oneDNN has a fast way only where the kernel is three columns
wide and its padding at the sides at most one; others take up to fifteen times as long. So three
columns of the kernel at a time get their gradient, from the result's, moved to the side.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_WIDE = 5
_FAST = 3  # columns


def convolve_depthwise(features: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Convolution of each channel by itself.

    Args:
        features: (B, C, H, W).
        weight: (C, 1, K, K).
        stride: 1 or 2.
        padding: (K - 1) / 2 with a stride of 1, none with 2.

    Returns:
        (B, C, H', W'), with gradients.
    """
    is_wide = weight.shape[-1] == _WIDE and features.dtype == weight.dtype
    if is_wide and features.device.type == "cpu" and torch.is_grad_enabled():
        convolved: Tensor = _WideConvolution.apply(features, weight, stride, padding)
        return convolved
    return F.conv2d(features, weight, None, stride, padding, groups=len(weight))


class _WideConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        """(B, C, H', W') from (B, C, H, W) and (C, 1, 5, 5)."""
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(features, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """(B, C, H, W) and (C, 1, 5, 5) from (B, C, H', W')."""
        features, weight = ctx.saved_tensors
        of_features, of_weight = ctx.needs_input_grad[:2]
        steps = ctx.stride, (ctx.padding, ctx.padding)
        return (
            _gradients(gradient, features, weight, *steps, of="features") if of_features else None,
            _of_kernel(gradient, features, weight, *steps) if of_weight else None,
            None,
            None,
        )


def _of_kernel(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]
) -> Tensor:
    """(C, 1, 5, 5), of the wide kernel: its columns 0 to 2, then 2 to 4."""
    sides = min(padding[1], 1)
    narrow = weight[..., :_FAST].contiguous()  # its values do not matter
    width = (features.shape[3] + 2 * sides - _FAST) // stride + 1  # of results, by three columns

    def columns(first: int) -> Tensor:
        # Results that are moved meet with the narrow kernel what they met with these columns.
        moved = (first - padding[1] + sides) // stride
        aside = F.pad(gradient, (moved, width - gradient.shape[3] - moved))
        return _gradients(aside, features, narrow, stride, (padding[0], sides), of="kernel")

    left, right = columns(0), columns(_WIDE - _FAST)
    if sides:
        # The results of the first column were moved out of the map; all that they met but zeros was
        # the map's first column, by the kernel's middle one.
        rim = [values[..., :1].contiguous() for values in (gradient, features, weight)]
        left[..., -1:] += _gradients(*rim, stride, (padding[0], 0), of="kernel")
    return torch.cat([left, right[..., 1:]], dim=-1)


def _gradients(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    stride: int,
    padding: tuple[int, int],
    of: str,
) -> Tensor:
    wanted = [of == "features", of == "kernel", False]
    found: tuple[Tensor, Tensor, None] = torch.ops.aten.convolution_backward(
        gradient, features, weight, None, [stride] * 2, padding, [1, 1], False, [0, 0],
        len(weight), wanted,
    )  # fmt: skip
    return found[wanted.index(True)]
