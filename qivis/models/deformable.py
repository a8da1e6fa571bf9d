"""Deformable convolution (Dai et al. 2017): each position learns where its kernel looks."""

from typing import Any, cast

import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck
from torchvision.ops import deform_conv2d


class DeformableConv(nn.Module):
    """A convolution that moves every sample of its kernel by an offset read off the map.

    Offsets begin as zero, so that it begins as the plain convolution. Computed in float32:
    torchvision has no operator for bfloat16.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Args: conv: whose weight and geometry it takes over; without bias."""
        super().__init__()
        self.weight = conv.weight
        geometry: dict[str, Any] = {
            "stride": conv.stride,
            "padding": conv.padding,
            "dilation": conv.dilation,
        }
        self._geometry = geometry
        height, width = conv.weight.shape[-2:]
        # (dy, dx) for each place of the kernel.
        moves = 2 * height * width
        self.offsets = nn.Conv2d(conv.in_channels, moves, (height, width), **geometry)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(cast(Tensor, self.offsets.bias))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        offsets = self.offsets(features)
        result: Tensor = deform_conv2d(
            features.float(), offsets.float(), self.weight.float(), **self._geometry
        )
        return result.to(features.dtype)


def deform(body: torchvision.models.ResNet) -> torchvision.models.ResNet:
    """Make the 3 x 3 convolutions of the last three stages deformable, in place, and return it."""
    for stage in (body.layer2, body.layer3, body.layer4):
        for block in stage:
            assert isinstance(block, Bottleneck), "ResNets from 50 layers on"
            block.conv2 = DeformableConv(block.conv2)
    return body


def deformable_resnext101(weights: None = None) -> torchvision.models.ResNet:
    """ResNeXt-101 64 x 4d with deformable convolutions, in the manner of torchvision's makers.

    QueryInst's authors published figures of an `X101-DCN`, but neither config nor weights. This
    is mmdetection's backbone of that description (HTC, `x101_64x4d_fpn_dconv_c3-c5`).
    """
    return deform(torchvision.models.resnext101_64x4d(weights=weights))
