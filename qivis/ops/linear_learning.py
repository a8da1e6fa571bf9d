"""Linear layers that learn by oneDNN, which multiplies some shapes in half of MKL's time."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qivis.ops.onednn import multiply


def linear_and_learn(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A linear layer, on a CPU with oneDNN.

    Args:
        features: (..., C), float32.
        weight: (D, C), float32.
        bias: (D,).

    Returns:
        (..., D), with gradients for all three.
    """
    mapped: Tensor = _Linear.apply(features.flatten(0, -2), weight, bias)
    return mapped.view(*features.shape[:-1], len(weight))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """(N, D) from (N, C), (D, C) and (D,)."""
        ctx.save_for_backward(features, weight)
        return multiply(features, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """(N, C), (D, C) and (D,) from (N, D)."""
        features, weight = ctx.saved_tensors
        of_features, of_weight, of_bias = ctx.needs_input_grad
        return (
            multiply(gradient, weight.T, None) if of_features else None,
            _of_weight(gradient, features) if of_weight else None,
            gradient.sum(dim=0) if of_bias else None,
        )


def _of_weight(gradient: Tensor, features: Tensor) -> Tensor:
    """(D, C) from (N, D) and (N, C)."""
    if len(features) and gradient.shape[1] < features.shape[1]:  # oneDNN knows no empty sums
        return multiply(gradient.T, features.T, None)
    return gradient.T @ features  # oneDNN turns the wider factor first, which takes longer
