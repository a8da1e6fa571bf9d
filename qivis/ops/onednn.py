"""oneDNN's convolutions, which do in one pass what follows them, too.

The operators are those that `torch.compile` calls on CPUs; called by hand, they need no C++
compiler.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# What may follow a convolution, in oneDNN's words: the least and the greatest result.
ACTIVATIONS: Mapping[str, tuple[float | None, float | None]] = {
    "none": (None, None),
    "relu": (0.0, None),
    "hardtanh": (0.0, 6.0),
}


class Geometry(NamedTuple):
    """How a kernel is moved over a map; down and across each."""

    padding: Sequence[int]
    stride: Sequence[int] = (1, 1)
    dilation: Sequence[int] = (1, 1)
    groups: int = 1


def has_onednn(device: torch.device) -> bool:
    """Whether oneDNN, whose operators these are, computes on a device."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


def convolve_fused(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    geometry: Geometry,
    activation: str = "none",
) -> Tensor:
    """Convolution and activation; without gradients.

    Args:
        features: (B, C, H, W), float32 or bfloat16, on a CPU with oneDNN.
        weight: (D, C / groups, K, K), or what `pack` made of it for maps of this size.
        bias: (D,).
        activation: a key of `ACTIVATIONS`.

    Returns:
        (B, D, H', W').
    """
    run: Any = torch.ops.mkldnn._convolution_pointwise
    numbers = ACTIVATIONS[activation] if activation == "hardtanh" else ()
    convolved: Tensor = run(features, weight, bias, *geometry, activation, numbers, "")
    return convolved


def convolve_and_add(  # noqa: PLR0913
    features: Tensor,
    other: Tensor,
    weight: Tensor,
    bias: Tensor,
    geometry: Geometry,
    activation: str = "none",
    *,
    overwrite: bool = False,
) -> Tensor:
    """Convolution, sum with another map, and activation; without gradients.

    Args:
        other: (B, D, H', W').
        overwrite: put the result where `other` is, of which nothing is left then, if that has the
            channels last. New memory has to come through the caches.
        features, weight, bias, activation: as of `convolve_fused`; but `hardtanh` cannot follow a
            sum, oneDNN has no such operation.

    Returns:
        (B, D, H', W'), channels last.
    """
    unary = None if activation == "none" else activation
    layer = (weight, bias, *geometry, "add", 1.0, unary, (), "")
    into: Any = torch.ops.mkldnn._convolution_pointwise_
    apart: Any = torch.ops.mkldnn._convolution_pointwise
    # For others PyTorch has a slower way, which fails in bfloat16.
    features, other = (maps.to(memory_format=torch.channels_last) for maps in (features, other))
    summed: Tensor = into(other, features, *layer) if overwrite else apart(features, other, *layer)
    return summed


def multiply(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A linear layer; without gradients.

    Args:
        features: (..., C), float32 or bfloat16, on a CPU with oneDNN.
        weight: (D, C), or what oneDNN made of it beforehand.
        bias: (D,).

    Returns:
        (..., D).
    """
    run: Any = torch.ops.mkldnn._linear_pointwise
    product: Tensor = run(features, weight, bias, "none", [], "")
    return product


def convolution_gradients(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    geometry: Geometry,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """Those of features, weight and bias of a convolution; what is not wanted is None.

    Args:
        gradient: (B, D, H', W'), of the result.
        features: (B, C, H, W).
        weight: (D, C / groups, K, K).
    """
    padding, stride, dilation, groups = geometry
    run: Any = torch.ops.aten.convolution_backward
    gradients: tuple[Tensor, Tensor, Tensor] = run(
        gradient,
        features,
        weight,
        [len(weight)],
        stride,
        padding,
        dilation,
        False,  # it is not transposed
        (0, 0),
        groups,
        list(wanted),
    )
    return gradients


def pack(weight: Tensor, geometry: Geometry, size: Sequence[int]) -> Tensor:
    """A weight in the order in which oneDNN wants it for maps of one size (B, C, H, W)."""
    run: Any = torch.ops.mkldnn._reorder_convolution_weight
    packed: Tensor = run(weight, *geometry, list(size))
    return packed


def even_padding(weight: Tensor) -> tuple[Tensor, int]:
    """A strided `SAME` kernel with zeros before it, and the padding that it then has on all sides.

    `SAME` pads the odd pixel right and below. A kernel that is longer by one has even padding, and
    no padded copy of the map is needed.
    """
    longer = F.pad(weight, (1, 0, 1, 0))
    return longer, longer.shape[-1] // 2 - 1
