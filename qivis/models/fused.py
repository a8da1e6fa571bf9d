"""Layers for inference: convolutions together with what follows them, and packed linear layers.

Batch norms disappear into the weights; adding a residual and the activation happen while the
result is still in the processor's cache.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qivis.models.dynamic_conv import DynamicConv
from qivis.models.efficientnet_lite import SameConv2d
from qivis.models.mask_head import ClassLogits
from qivis.models.on_demand import OnDemand, SumsOnDemand
from qivis.ops.onednn import (
    ACTIVATIONS,
    Geometry,
    convolve_and_add,
    convolve_fused,
    even_padding,
    has_onednn,
    multiply,
    pack,
)
from qivis.ops.tiles import SIDE, TILE
from qivis.ops.winograd import bias_at_points, convolve, transform_kernel

# Winograd's way to convolve is the faster one from so many channels and tiles in a map, and
# multiplications that are saved for each value on its way to the points and back. How many maps
# there are does not count, or a frame's result would depend on the others of its batch.
LEAST_CHANNELS = 96
LEAST_TILES = 12
LEAST_SAVED = 4500
_TAPS, _POINTS = 9, SIDE**2

# Masks whose upsampled features are made, and used up, at once on a CPU: they stay in the caches.
MAPS_AT_ONCE = 3


def packed(linear: nn.Linear, dtype: torch.dtype) -> nn.Module:
    """The faster layer where there is one, else the one given."""
    return PackedLinear(linear, dtype) if has_onednn(linear.weight.device) else linear


class FusedConv(nn.Module):
    """Convolution, batch norm, sum with another map, and activation as one operation."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, dtype: torch.dtype) -> None:
        """Args: norm: follows the convolution. dtype: of weights, inputs and outputs."""
        super().__init__()
        weight, bias = _folded(conv, norm)
        padding: Any = conv.padding
        if isinstance(conv, SameConv2d) and conv.stride[0] > 1:
            weight, side = even_padding(weight)
            padding = (side, side)
        self.register_buffer("weight", weight.to(dtype, memory_format=torch.channels_last))
        self.register_buffer("bias", bias.to(dtype))
        self.geometry = Geometry(padding, conv.stride, conv.dilation, conv.groups)
        self.activation = "none"
        self.overwrites = False
        self._packed, self._winograd = None, None
        if has_onednn(weight.device):  # GPUs choose for themselves
            self._packed = _PackedConv(self.weight, self.bias, self.geometry)
            if suits_winograd(conv):
                self._winograd = _WinogradProducts(weight, bias, dtype)

    def forward(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, D, H', W').

        `other`, of that shape, is added before the activation, which then may not be `hardtanh`:
        oneDNN has no such operation. With `overwrites` it may hold the result afterwards.
        """
        if self._packed is None:
            return self._step_by_step(features, other)
        if other is not None:
            return self._packed.add(features, other, self.activation, overwrite=self.overwrites)
        convolved = self._by_winograd(features)
        return self._packed(features, self.activation) if convolved is None else convolved

    def write(self, features: Tensor, out: Tensor) -> None:
        """(B, C, H, W) into (B, D, H', W'), channels last."""
        if self._by_winograd(features, out) is None:
            out.copy_(self(features))

    def can_wait(self, features: Tensor) -> bool:
        """Whether there is a `write_on_demand` for maps (B, ., H, W) of this size."""
        height, width = features.shape[-2:]
        whole = not (height % TILE or width % TILE)
        return self._winograd is not None and whole and self.activation == "none"

    def write_on_demand(self, sums: SumsOnDemand, out: Tensor) -> OnDemand:
        """As `write`, but only where and when what is returned is asked to."""
        assert self._winograd is not None, "it can wait"
        return OnDemand(sums, self._winograd, out)

    def add_on_demand(self, features: Tensor, coarser: Tensor) -> SumsOnDemand:
        """A convolution of one pixel, (B, C, H, W) to (B, D, H, W), and its sum with a coarser map.

        `coarser`, (B, D, H / 2, W / 2), is added to four pixels each, as by `F.interpolate`.
        """
        return SumsOnDemand(features, coarser, self)

    def _by_winograd(self, features: Tensor, out: Tensor | None = None) -> Tensor | None:
        """None, and nothing written, where that is not the faster way."""
        if self._winograd is None or tiles_of_map(features) < LEAST_TILES:
            return None
        if saved_by_winograd(features, self.weight) < LEAST_SAVED:
            return None
        limits = ACTIVATIONS[self.activation]
        return convolve(features, len(self.weight), self._winograd, limits, out)

    def expect_sizes(self, count: int) -> None:
        """Be ready for maps of so many sizes in turn; at first, for one."""
        if self._packed is not None:
            self._packed.most_sizes = count
        if self._winograd is not None:
            self._winograd.conv.most_sizes = count

    def _step_by_step(self, features: Tensor, other: Tensor | None) -> Tensor:
        padding, stride, dilation, groups = self.geometry
        result = F.conv2d(features, self.weight, self.bias, stride, padding, dilation, groups)
        if other is not None:
            result = result + other
        if self.activation == "none":
            return result
        return result.relu() if self.activation == "relu" else F.relu6(result)


class _PackedConv:
    """A convolution by oneDNN, its weights packed for maps of the last size, or the last few.

    Packed for another size they can be 20 times slower, and unpacked they are packed in each call.
    How many maps there are does not count.
    """

    def __init__(self, weight: Tensor, bias: Tensor, geometry: Geometry) -> None:
        self.most_sizes = 1
        # One attribute, so that threads that see maps of different sizes never mix them up.
        self._kept: Mapping[torch.Size | None, Tensor] = {None: weight}
        self._bias, self._geometry = bias, geometry

    def __call__(self, features: Tensor, activation: str = "none") -> Tensor:
        """As `convolve_fused`."""
        weight = self._for_size(features.shape)
        return convolve_fused(features, weight, self._bias, self._geometry, activation)

    def add(self, features: Tensor, other: Tensor, activation: str, *, overwrite: bool) -> Tensor:
        """As `convolve_and_add`."""
        layer = (self._for_size(features.shape), self._bias, self._geometry, activation)
        return convolve_and_add(features, other, *layer, overwrite=overwrite)

    def _for_size(self, shape: torch.Size) -> Tensor:
        kept, size = self._kept, shape[1:]
        if size in kept:
            return kept[size]
        packed = pack(self._plain_weight(), self._geometry, shape)
        others = [entry for entry in kept.items() if entry[0] is not None]
        self._kept = dict([*others, (size, packed)][-self.most_sizes :])
        return packed

    def _plain_weight(self) -> Tensor:
        *_, last = self._kept.values()
        return last.to_dense() if last.is_mkldnn else last

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes, which cannot be handed what is packed."""
        return {**vars(self), "_kept": {None: self._plain_weight()}}


class _WinogradProducts:
    """What `winograd.convolve` multiplies by: a convolution of one pixel, in a group a point."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        """Args: weight: (D, C, 3, 3). bias: (D,). dtype: of values and products."""
        at_points = transform_kernel(weight).to(dtype).transpose(1, 2)  # (36, D, C)
        groups = len(at_points)
        self.conv = _PackedConv(
            at_points.reshape(-1, at_points.shape[2], 1, 1),
            bias_at_points(bias).to(dtype).flatten(),
            Geometry(padding=(0, 0), groups=groups),
        )

    def __call__(self, values: Tensor) -> Tensor:
        """(T, 36, C) to (T, 36, D)."""
        count, points, _ = values.shape
        pixels = values.view(1, count, 1, -1).permute(0, 3, 1, 2)
        return self.conv(pixels).permute(0, 2, 3, 1).view(count, points, -1)


class PackedLinear(nn.Module):
    """A linear layer by oneDNN, which on some CPUs takes half as long as MKL; needs oneDNN."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        """Args: dtype: of weights, inputs and outputs."""
        super().__init__()
        self._weight = self._packed(linear.weight.detach().to(dtype))
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)

    @staticmethod
    def _packed(weight: Tensor) -> Tensor:
        pack: Any = torch.ops.mkldnn._reorder_linear_weight
        packed: Tensor = pack(weight)
        return packed

    def __getstate__(self) -> dict[str, Any]:
        """As that of `_PackedConv`."""
        return {**vars(self), "_weight": self._weight.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._weight = self._packed(self._weight)

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) to (..., D)."""
        return multiply(features, self._weight, self._bias)


class UpsampledLogits(nn.Module):
    """A transposed 2 x 2 convolution of stride 2, ReLU and logits: as two matrix products.

    Each pixel becomes four that know nothing of one another, so they are put in their places last,
    as logits, which are fewer than features. Those of other classes are not computed.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, upsample: nn.ConvTranspose2d, logits: ClassLogits, dtype: torch.dtype
    ) -> None:
        """Args: dtype: of weights, inputs and outputs."""
        super().__init__()
        width, filters = upsample.weight.shape[:2]
        conv = nn.Conv2d(width, 4 * filters, 1, device=upsample.weight.device)
        weight = upsample.weight.detach().permute(2, 3, 1, 0).reshape(-1, width, 1, 1)
        assert upsample.bias is not None, "as in the mask head"
        conv.weight = nn.Parameter(weight)
        conv.bias = nn.Parameter(upsample.bias.detach().repeat(4))
        self.upsample = FusedConv(conv, None, dtype)
        self.upsample.activation = "relu"
        assert logits.bias is not None, "as in the mask head"
        self.register_buffer("weight", logits.weight.detach().flatten(1).to(dtype))
        self.register_buffer("bias", logits.bias.detach().to(dtype))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """(P, D, S, S) and labels (P,) to (P, 2S, 2S)."""
        if features.device.type != "cpu":  # a GPU is the slower, the more operations it is given
            return self._draw(features, labels)
        parts = zip(features.split(MAPS_AT_ONCE), labels.split(MAPS_AT_ONCE), strict=True)
        return torch.cat([self._draw(*part) for part in parts])

    def _draw(self, features: Tensor, labels: Tensor) -> Tensor:
        count, _, height, width = features.shape
        four = self.upsample(features).permute(0, 2, 3, 1)  # (P, S, S, 4 * D)
        four = four.reshape(count, 4 * height * width, four.shape[-1] // 4)
        logits = torch.bmm(self.weight[labels, None], four.mT)  # (P, 1, S * S * 4)
        logits = (logits + self.bias[labels, None, None]).view(count, height, width, 2, 2)
        return logits.transpose(2, 3).reshape(count, 2 * height, 2 * width)


class SplitDynamicConv(nn.Module):
    """`DynamicConv` with a layer for each of the two filters, which need not be cut apart then."""

    def __init__(self, conv: DynamicConv, dtype: torch.dtype) -> None:
        """Args: dtype: of weights, inputs and outputs."""
        super().__init__()
        self.into, self.out_of = (packed(half, dtype) for half in _halves(conv.generate))
        self.norm_in, self.norm_out = conv.norm_in, conv.norm_out
        self._inner = conv.norm_in.normalized_shape[0]

    def forward(self, queries: Tensor, features: Tensor) -> Tensor:
        """(N, D) queries and (N, S * S, D) features to (N, S * S, D), as `DynamicConv` has it."""
        width = features.shape[-1]
        into = self.into(queries).view(-1, width, self._inner)
        features = self.norm_in(torch.bmm(features, into)).relu_()  # (N, S * S, d)
        out_of = self.out_of(queries).view(-1, self._inner, width)
        filtered: Tensor = self.norm_out(torch.bmm(features, out_of)).relu_()
        return filtered


def _halves(linear: nn.Linear) -> Iterator[nn.Linear]:
    """A linear layer as two, for the two halves of its results."""
    for weight, bias in zip(linear.weight.chunk(2), linear.bias.chunk(2), strict=True):
        half = nn.Linear(weight.shape[1], len(weight), device=weight.device)
        half.weight, half.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        yield half


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


def suits_winograd(conv: nn.Conv2d) -> bool:
    """Whether a layer is of the kind that can be done in Winograd's way, and wide enough."""
    geometry = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    wide = min(conv.in_channels, conv.out_channels) >= LEAST_CHANNELS
    return wide and geometry == ((3, 3), (1, 1), (1, 1), (1, 1), 1)


def tiles_of_map(features: Tensor) -> int:
    """How many of Winograd's tiles make up a map (B, C, H, W)."""
    height, width = features.shape[-2:]
    return -(-height // TILE) * -(-width // TILE)


def saved_by_winograd(features: Tensor, weight: Tensor) -> float:
    """How many multiplications, for each value that goes to the points and back.

    Tiles that stick out of a map, (B, C, H, W), save less. The weight is (D, C, 3, 3).
    """
    filters, channels = weight.shape[:2]
    pixels = features.shape[2] * features.shape[3] / tiles_of_map(features)
    return (_TAPS * pixels - _POINTS) * filters * channels / (filters + channels)
