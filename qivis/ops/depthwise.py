"""Depthwise convolutions whose kernels of 5 x 5 learn about as fast as those of 3 x 3.

For the gradient of a depthwise kernel oneDNN has a fast way only where the kernel is three columns
wide and its padding at the sides at most one; others take up to fifteen times as long. So three
columns of the kernel at a time get their gradient, from the result's, moved to the side.
"""

from typing import Any, NamedTuple

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
    device = features.device.type
    suits = weight.shape[-1] == _WIDE and device == "cpu" and not torch.is_autocast_enabled(device)
    if suits and torch.is_grad_enabled():
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
        of_features, of_kernel = ctx.needs_input_grad[:2]
        layer = _Layer(ctx.stride, (ctx.padding, ctx.padding))
        return (
            layer.of_features(gradient, features, weight) if of_features else None,
            _of_wide_kernel(layer, gradient, features, weight) if of_kernel else None,
            None,
            None,
        )


class _Layer(NamedTuple):
    """How a depthwise kernel is moved over a map; padding: above and below, left and right."""

    stride: int
    padding: tuple[int, int]

    def of_features(self, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the features, by oneDNN."""
        return self._gradients(gradient, features, weight, (True, False))[0]

    def of_kernel(self, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the kernel, by oneDNN; the kernel's values do not matter."""
        return self._gradients(gradient, features, weight, (False, True))[1]

    def _gradients(
        self, gradient: Tensor, features: Tensor, weight: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        strides, dilation, of_outputs = (self.stride,) * 2, (1, 1), (0, 0)
        geometry = (strides, self.padding, dilation, False, of_outputs, len(weight))
        run: Any = torch.ops.aten.convolution_backward
        of_features, of_kernel, _ = run(
            gradient, features, weight, None, *geometry, [*wanted, False]
        )
        return of_features, of_kernel


def _of_wide_kernel(layer: _Layer, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
    """(C, 1, 5, 5): of columns 0 to 2, then 2 to 4."""
    high, wide = layer.padding
    narrow = layer._replace(padding=(high, min(wide, 1)))
    kernel = weight[..., :_FAST].contiguous()
    width = (features.shape[3] + 2 * narrow.padding[1] - _FAST) // layer.stride + 1  # of results

    def columns(first: int) -> Tensor:
        # Results that are moved meet with the narrow kernel what they met with these columns.
        moved = (first - wide + narrow.padding[1]) // layer.stride
        aside = F.pad(gradient, (moved, width - gradient.shape[3] - moved))
        return narrow.of_kernel(aside, features, kernel)

    left, right = columns(0), columns(_WIDE - _FAST)
    if wide:
        # The results of the first column were moved out of the map; all that they met but zeros was
        # the map's first column, by the kernel's middle one.
        rim = [tensor[..., :1].contiguous() for tensor in (gradient, features, weight)]
        left[..., -1:] += layer._replace(padding=(high, 0)).of_kernel(*rim)
    return torch.cat([left, right[..., 1:]], dim=-1)
