"""An inverted residual that learns in one step: see `inverted_residual`.

Norms, whose statistics stay as they are, are folded into the kernels, and activations happen in the
convolutions. Of what is between only that is kept which the gradient needs: the two hidden maps,
once instead of twice.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qivis.ops.depthwise import Depthwise
from qivis.ops.onednn import (
    ACTIVATIONS,
    Geometry,
    convolution_gradients,
    convolve_and_add,
    convolve_fused,
    even_padding,
)

_POINTWISE = Geometry(padding=(0, 0))


class NormedKernel(NamedTuple):
    """A convolution without bias, and the batch norm after it.

    weight: (D, C / groups, K, K).
    gain, offset: (D,), what the norm learns.
    mean, inverse_deviation: (D,), its statistics.
    """

    weight: Tensor
    gain: Tensor
    offset: Tensor
    mean: Tensor
    inverse_deviation: Tensor

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of a convolution that does what both do."""
        scale = self.gain * self.inverse_deviation
        return self.weight * _over_filters(scale), self.offset - self.mean * scale

    def gradients(self, of_weight: Tensor, of_bias: Tensor) -> tuple[Tensor | None, ...]:
        """Those of the five from those of the folded weight and bias."""
        scale = self.gain * self.inverse_deviation
        of_scale = (of_weight * self.weight).sum((1, 2, 3)) - of_bias * self.mean
        return (
            of_weight * _over_filters(scale),
            of_scale * self.inverse_deviation,
            of_bias,
            None,
            None,
        )


def inverted_residual(
    features: Tensor,
    expand: NormedKernel,
    filtering: NormedKernel,
    project: NormedKernel,
    stride: int,
    *,
    is_added: bool,
) -> Tensor:
    """Expansion and ReLU6, depthwise convolution and ReLU6, projection (MobileNetV2, section 3.3).

    Args:
        features: (B, C, H, W), float32, on a CPU with oneDNN; fastest with channels last.
        expand: (M, C, 1, 1).
        filtering: (M, 1, K, K), for K of 3 or 5; with a stride of 2 padded as `even_padding` says.
        project: (D, M, 1, 1).
        stride: 1 or 2, of the depthwise convolution.
        is_added: whether the result is added to `features`, which then are of its shape.

    Returns:
        (B, D, H / stride, W / stride), with gradients for all but the norms' statistics.
    """
    kernels = (*expand, *filtering, *project)
    projected: Tensor = _InvertedResidual.apply(features, stride, is_added, *kernels)
    return projected


class _InvertedResidual(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, stride: int, is_added: bool, *kernels: Tensor
    ) -> Tensor:
        """(B, D, H', W') from (B, C, H, W), and three kernels of five tensors."""
        (into, shift_in), (inside, shift), (out_of, shift_out) = (
            kernel.folded() for kernel in _kernels(kernels)
        )
        inside, padding = even_padding(inside) if stride > 1 else (inside, inside.shape[-1] // 2)
        moved = Geometry((padding,) * 2, (stride,) * 2, groups=len(inside))
        expanded = convolve_fused(features, into, shift_in, _POINTWISE, "hardtanh")
        filtered = convolve_fused(expanded, inside, shift, moved, "hardtanh")
        ctx.stride, ctx.padding, ctx.is_added = stride, padding, is_added
        ctx.save_for_backward(features, expanded, filtered, into, inside, out_of, *kernels)
        if is_added:
            return convolve_and_add(filtered, features, out_of, shift_out, _POINTWISE)
        return convolve_fused(filtered, out_of, shift_out, _POINTWISE)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Those of `forward`'s arguments from (B, D, H', W')."""
        features, expanded, filtered, into, inside, out_of, *kernels = ctx.saved_tensors
        expand, filtering, project = _kernels(kernels)
        of_filtered, of_out_of, of_shift_out = convolution_gradients(
            gradient, filtered, out_of, _POINTWISE, (True, True, True)
        )
        _stop_at_limits(of_filtered, filtered)
        layer = Depthwise(ctx.stride, (ctx.padding,) * 2)
        of_inside = layer.of_kernel(of_filtered, expanded, inside)
        size = filtering.weight.shape[-1]  # without the zeros of `even_padding`, which come first
        of_shift = of_filtered.sum((0, 2, 3))
        of_expanded = layer.of_features(of_filtered, expanded, inside)
        _stop_at_limits(of_expanded, expanded)
        is_wanted = ctx.needs_input_grad[0]
        of_features, of_into, of_shift_in = convolution_gradients(
            of_expanded, features, into, _POINTWISE, (is_wanted, True, True)
        )
        if is_wanted and ctx.is_added:
            of_features += gradient
        return (
            of_features,
            None,
            None,
            *expand.gradients(of_into, of_shift_in),
            *filtering.gradients(of_inside[..., -size:, -size:], of_shift),
            *project.gradients(of_out_of, of_shift_out),
        )


def _kernels(tensors: Sequence[Tensor]) -> tuple[NormedKernel, NormedKernel, NormedKernel]:
    return NormedKernel(*tensors[:5]), NormedKernel(*tensors[5:10]), NormedKernel(*tensors[10:])


def _over_filters(values: Tensor) -> Tensor:
    """(D,) to be multiplied with a kernel."""
    return values[:, None, None, None]


def _stop_at_limits(gradient: Tensor, activated: Tensor) -> None:
    """In place: where ReLU6 gave 0 or 6, nothing below it learns."""
    run: Any = torch.ops.aten.hardtanh_backward.grad_input
    run(gradient, activated, *ACTIVATIONS["hardtanh"], grad_input=gradient)
