"""The same network, faster to train on a CPU: what it learns is the same up to rounding.

The counterpart of `optimize`, which is for inference. What takes a layer's place is no layer itself
and has no weights of its own; those of the network keep their names.
"""

import torch
from torch import Tensor, nn

from qivis.models.backbone import Lite0, ResNet
from qivis.models.efficientnet_lite import InvertedResidual
from qivis.models.fpn import Fpn
from qivis.models.linear import learn_linear_by_onednn
from qivis.models.on_demand_learning import PyramidOnDemand
from qivis.models.optimize import fuse
from qivis.models.queryinst import QueryInst
from qivis.models.winograd_conv import learn_by_winograd
from qivis.ops.inverted_residual import NormedKernel, inverted_residual
from qivis.ops.onednn import has_onednn


def optimize_training(model: QueryInst) -> None:
    """Make a network faster to train, in place.

    Args:
        model: on a CPU, with the weights that it starts from: those of frozen layers may not
            change any more.
    """
    learn_by_winograd(model)
    fast = has_onednn(torch.device("cpu"))
    if fast:
        learn_linear_by_onednn(model)
    if isinstance(model.fpn, Fpn):
        object.__setattr__(model.fpn, "forward", PyramidOnDemand(model.fpn))
    backbone = model.backbone
    if isinstance(backbone, ResNet | Lite0):
        object.__setattr__(backbone, "first_stage", FrozenStage(backbone))
    if isinstance(backbone, Lite0) and fast:
        for block in backbone.body.learned_blocks():
            object.__setattr__(block, "forward", FoldedResidual(block))


class FrozenStage:
    """The first stage of a backbone; while the rest learns, by fused layers."""

    def __init__(self, backbone: ResNet | Lite0) -> None:
        self.plain = backbone.first_stage
        self._fused = fuse(_Stage(backbone), torch.float32)

    def __call__(self, images: Tensor) -> Tensor:
        """As `ResNet.first_stage`."""
        if not torch.is_grad_enabled() or torch.is_autocast_enabled(images.device.type):
            return self.plain(images)
        with torch.no_grad():  # picture by picture: the maps of a small one stay in the caches
            return torch.cat([self._fused(image) for image in images.split(1)])


class _Stage(nn.Module):
    """The first stage as a module, to be traced."""

    def __init__(self, backbone: ResNet | Lite0) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone.first_stage(images)


class FoldedResidual:
    """A block of EfficientNet-Lite; while it learns, its norms are folded into its kernels."""

    def __init__(self, block: InvertedResidual) -> None:
        self.plain = block.forward
        self._block = block

    def __call__(self, features: Tensor) -> Tensor:
        """As `InvertedResidual.forward`."""
        if not torch.is_grad_enabled():
            return self.plain(features)
        block = self._block
        expand, filtering, project = (_normed(conv, norm) for conv, norm in block.layers())
        return inverted_residual(
            features, expand, filtering, project, block.stride, is_added=block.is_residual
        )


def _normed(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> NormedKernel:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None, "the norm has statistics"  # noqa: PT018
    inverse_deviation = (variance + norm.eps).rsqrt()
    return NormedKernel(conv.weight, norm.weight, norm.bias, mean, inverse_deviation)
