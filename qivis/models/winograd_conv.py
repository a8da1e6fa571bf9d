"""Layers that learn in Winograd's way where that is faster, for trainings on CPUs.

Everything else about them is as in the layers whose place they take. Those of inference are in
`fused`.
"""

import torch
from torch import Tensor, nn

from qivis.models.fused import (
    LEAST_SAVED,
    saved_by_winograd,
    suits_winograd,
    tiles_of_map,
)
from qivis.models.replace import replace_layers
from qivis.ops.winograd_learning import convolve_and_learn
from qivis.processor import multiplies_as_fast_as_it_convolves

LEAST_TILES = 32  # of a batch: as much work as the kernel's own way to the points and back


def learn_by_winograd(model: nn.Module) -> None:
    """Replace the layers for which it pays, in place; their weights stay the same objects.

    Args:
        model: on the CPU. Its state is named as before.
    """
    if multiplies_as_fast_as_it_convolves():
        replace_layers(model, _faster)


def _faster(layer: nn.Module) -> nn.Module | None:
    if type(layer) is nn.Conv2d and suits_winograd(layer):
        return WinogradConv2d(layer)
    return None


class WinogradConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 1 with one pixel of padding.

    When it does not learn, it convolves as any other, to the bit.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Args: conv: whose weight and bias it has."""
        super().__init__(
            conv.in_channels, conv.out_channels, 3, padding=1, bias=False, device="meta"
        )
        self.weight, self.bias = conv.weight, conv.bias
        self.train(conv.training)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if learns_by_winograd(input, weight):
            return convolve_and_learn(input, weight, bias)
        convolved: Tensor = super()._conv_forward(input, weight, bias)
        return convolved


def learns_by_winograd(features: Tensor, weight: Tensor) -> bool:
    """Whether a 3 x 3 convolution of (B, C, H, W) learns, and faster in Winograd's way."""
    if not (torch.is_grad_enabled() and weight.requires_grad):
        return False
    if torch.is_autocast_enabled(features.device.type):
        return False
    enough = tiles_of_map(features) * len(features) >= LEAST_TILES
    return enough and saved_by_winograd(features, weight) >= LEAST_SAVED
