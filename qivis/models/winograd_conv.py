"""Layers that learn in Winograd's way where that is faster, for trainings on CPUs.

Everything else about them is as in the layers whose place they take. Those of inference are in
`fused`.
"""

import torch
from torch import Tensor, nn

from qivis.models.fused import suits_winograd, tiles_of_map
from qivis.models.replace import replace_layers
from qivis.ops.winograd_learning import convolve_and_learn
from qivis.processor import multiplies_as_fast_as_it_convolves

# Multiplications that are saved for each value on its way to the points and back. In a layer alone
# it pays from 3,500 on; in a training, where the caches are full of other things, not always.
LEAST_SAVED = 4500
LEAST_TILES = 32  # of a batch: as much work as the kernel's own way to the points and back
_TAPS, _POINTS = 9, 36


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
        if torch.is_grad_enabled() and weight.requires_grad and _pays(input, weight):
            return convolve_and_learn(input, weight, bias)
        convolved: Tensor = super()._conv_forward(input, weight, bias)
        return convolved


def _pays(features: Tensor, weight: Tensor) -> bool:
    if torch.is_autocast_enabled(features.device.type):
        return False
    tiles, (filters, channels) = tiles_of_map(features), weight.shape[:2]
    pixels = features.shape[2] * features.shape[3] / tiles
    saved = (_TAPS * pixels - _POINTS) * filters * channels / (filters + channels)
    return saved >= LEAST_SAVED and tiles * len(features) >= LEAST_TILES
