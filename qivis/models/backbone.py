"""Backbones: a picture becomes four feature maps at strides 4, 8, 16 and 32.

Of convolutional ones, stem and first stage are frozen and batch statistics stay those of ImageNet,
as in the published models: detection batches are too small to estimate them.
"""

from collections.abc import Callable, Mapping
from typing import Self

import torch
import torchvision
from torch import Tensor, nn

from qivis.models.deformable import deformable_resnext101
from qivis.models.efficientnet_lite import EfficientNetLite0
from qivis.models.swin import Swin


class ResNet(nn.Module):
    """torchvision's ResNet with the stride on the 3 x 3 convolutions (`style='pytorch'`).

    channels: of the four feature maps.
    """

    channels = (256, 512, 1024, 2048)

    def __init__(self, make: Callable[..., torchvision.models.ResNet]) -> None:
        """Args: make: torchvision's constructor, such as `torchvision.models.resnet50`."""
        super().__init__()
        self.body = make(weights=None)
        del self.body.fc
        for part in (self.body.conv1, self.body.bn1, self.body.layer1):
            part.requires_grad_(False)
        freeze_batch_norms(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) to (B, C, H / s, W / s) for the strides s = 4, 8, 16, 32."""
        outputs = [self.first_stage(images)]
        for layer in (self.body.layer2, self.body.layer3, self.body.layer4):
            outputs.append(layer(outputs[-1]))
        return tuple(outputs)

    def first_stage(self, images: Tensor) -> Tensor:
        """What is frozen: (B, 3, H, W) to (B, C, H / 4, W / 4)."""
        body = self.body
        features: Tensor = body.layer1(body.maxpool(body.relu(body.bn1(body.conv1(images)))))
        return features

    def train(self, mode: bool = True) -> Self:
        """Switch the mode of everything but the batch norms, which keep their statistics."""
        super().train(mode)
        freeze_batch_norms(self)
        return self


class Lite0(nn.Module):
    """EfficientNet-Lite0, computed in float32 on CPUs: bfloat16 depthwise convolution is slower.

    channels: of the four feature maps.
    """

    channels = (24, 40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        self.body = EfficientNetLite0()
        for part in self.body.frozen_parts():
            part.requires_grad_(False)
        freeze_batch_norms(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) to (B, C, H / s, W / s) for the strides s = 4, 8, 16, 32."""
        with torch.autocast("cpu", enabled=False):
            features = self.first_stage(images)
            return (features, *self.body.later_stages(features))

    def first_stage(self, images: Tensor) -> Tensor:
        """What is frozen: (B, 3, H, W) to (B, C, H / 4, W / 4)."""
        return self.body.first_stage(images)

    def train(self, mode: bool = True) -> Self:
        """Switch the mode of everything but the batch norms, which keep their statistics."""
        super().train(mode)
        freeze_batch_norms(self)
        return self


def freeze_batch_norms(module: nn.Module) -> None:
    """Let every batch norm of `module` use its running statistics and leave them as they are."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


BACKBONES: Mapping[str, Callable[[], ResNet | Lite0 | Swin]] = {
    "resnet50": lambda: ResNet(torchvision.models.resnet50),
    "resnet101": lambda: ResNet(torchvision.models.resnet101),
    "resnext101_64x4d_dcn": lambda: ResNet(deformable_resnext101),
    "swin_t": lambda: Swin(96, (2, 2, 6, 2), (3, 6, 12, 24), drop_path=0.2),
    "swin_l": lambda: Swin(192, (2, 2, 18, 2), (6, 12, 24, 48), drop_path=0.3),
    "efficientnet_lite0": Lite0,
}
