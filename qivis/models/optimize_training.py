"""The same network, faster to train on a CPU: what it learns is the same up to rounding.

The counterpart of `optimize`, which is for inference.
"""

from typing import cast

import torch
from torch import Tensor, nn

from qivis.models.backbone import Lite0, ResNet
from qivis.models.optimize import fuse
from qivis.models.queryinst import QueryInst
from qivis.models.winograd_conv import learn_by_winograd


def optimize_training(model: QueryInst) -> None:
    """Make a network faster to train, in place; its weights and their names stay as they are.

    Args:
        model: on a CPU, with the weights that it starts from: those of frozen layers may not
            change any more.
    """
    learn_by_winograd(model)
    if isinstance(model.backbone, ResNet | Lite0):
        faster = FrozenStage(model.backbone)
        # Not a layer of the backbone's: it has no weights to be saved, or moved.
        object.__setattr__(model.backbone, "first_stage", faster)


class FrozenStage:
    """The first stage of a backbone; while the rest learns, by fused layers."""

    def __init__(self, backbone: ResNet | Lite0) -> None:
        self.plain = backbone.first_stage
        self._fused = fuse(_Stage(backbone), torch.float32)

    def __call__(self, images: Tensor) -> Tensor:
        """As `ResNet.first_stage`."""
        if not torch.is_grad_enabled() or torch.is_autocast_enabled(images.device.type):
            return self.plain(images)
        with torch.no_grad():
            return cast(Tensor, self._fused(images))


class _Stage(nn.Module):
    """The first stage as a module, to be traced."""

    def __init__(self, backbone: ResNet | Lite0) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone.first_stage(images)
