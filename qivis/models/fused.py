"""Layers for inference: convolutions together with what follows them, and packed linear layers.

Batch norms disappear into the weights; adding a residual and the activation happen while the
result is still in the processor's cache. The operators are those that `torch.compile` calls on
CPUs; called by hand, they need no C++ compiler.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qivis.models.efficientnet_lite import SameConv2d

# What may follow a convolution, in oneDNN's words: a name and its numbers.
ACTIVATIONS: Mapping[str, tuple[float, ...]] = {"none": (), "relu": (), "hardtanh": (0.0, 6.0)}


def has_onednn(device: torch.device) -> bool:
    """Whether oneDNN, whose operators these are, computes on a device."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


class FusedConv(nn.Module):
    """Convolution, batch norm, sum with another map, and activation as one operation."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, dtype: torch.dtype) -> None:
        """Args: norm: follows the convolution. dtype: of weights, inputs and outputs."""
        super().__init__()
        weight, bias = _folded(conv, norm)
        padding = list[Any](conv.padding)
        if isinstance(conv, SameConv2d) and conv.stride[0] > 1:
            weight, padding = _evened(weight)
        # Not packed: oneDNN packs for one size of the map, and by another is 20 times slower.
        self.register_buffer("weight", weight.to(dtype, memory_format=torch.channels_last))
        self.register_buffer("bias", bias.to(dtype))
        self.geometry = (padding, list(conv.stride), list(conv.dilation), conv.groups)
        self.activation = "none"
        self._use_onednn = has_onednn(weight.device)

    def forward(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, D, H', W').

        `other`, of that shape, is added before the activation, which then may not be `hardtanh`:
        oneDNN has no such operation.
        """
        if not self._use_onednn:
            return self._step_by_step(features, other)
        run: Any = torch.ops.mkldnn._convolution_pointwise
        layer = (self.weight, self.bias, *self.geometry)
        numbers = ACTIVATIONS[self.activation]
        if other is None:
            fused: Tensor = run(features, *layer, self.activation, numbers, "")
        else:
            unary = None if self.activation == "none" else self.activation
            fused = run(features, other, *layer, "add", 1.0, unary, numbers, "")
        return fused

    def _step_by_step(self, features: Tensor, other: Tensor | None) -> Tensor:
        padding, stride, dilation, groups = self.geometry
        result = F.conv2d(features, self.weight, self.bias, stride, padding, dilation, groups)
        if other is not None:
            result = result + other
        if self.activation == "none":
            return result
        return result.relu() if self.activation == "relu" else F.relu6(result)


class PackedLinear(nn.Module):
    """A linear layer by oneDNN, which on some CPUs takes half as long as MKL; needs oneDNN."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        """Args: dtype: of weights, inputs and outputs."""
        super().__init__()
        pack: Any = torch.ops.mkldnn._reorder_linear_weight
        self._weight: Tensor = pack(linear.weight.detach().to(dtype))
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) to (..., D)."""
        run: Any = torch.ops.mkldnn._linear_pointwise
        result: Tensor = run(features, self._weight, self._bias, "none", [], "")
        return result


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the norm after it, which uses running statistics."""
    weight = conv.weight.detach()
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach()
    if norm is None:
        return weight, bias
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None, "the norm has statistics"  # noqa: PT018
    scale = norm.weight.detach().double() / (variance.double() + norm.eps).sqrt()
    folded = weight.double() * scale.view(-1, 1, 1, 1)
    shifted = (bias.double() - mean.double()) * scale + norm.bias.detach().double()
    return folded.to(weight.dtype), shifted.to(weight.dtype)


def _evened(weight: Tensor) -> tuple[Tensor, list[int]]:
    """A strided `SAME` kernel with zeros before it, and the padding that it then has on all sides.

    `SAME` pads the odd pixel right and below. A kernel that is longer by one has even padding, and
    no padded copy of the map is needed.
    """
    longer = F.pad(weight, (1, 0, 1, 0))
    return longer, [longer.shape[-1] // 2 - 1] * 2
