"""Linear layers that learn by oneDNN, for trainings on CPUs; those of inference are in `fused`."""

import torch
from torch import Tensor, nn

from qivis.models.replace import replace_layers
from qivis.ops.linear_learning import linear_and_learn

LEAST_WEIGHTS = 2**15  # for fewer, the call takes as long as the product


def learn_linear_by_onednn(model: nn.Module) -> None:
    """Replace the layers for which it pays, in place; their weights stay the same objects.

    Args:
        model: on a CPU with oneDNN. Its state is named as before.
    """
    replace_layers(model, _faster)


def _faster(layer: nn.Module) -> nn.Module | None:
    if type(layer) is nn.Linear and layer.weight.numel() >= LEAST_WEIGHTS:
        return OneDnnLinear(layer)
    return None


class OneDnnLinear(nn.Linear):
    """A linear layer; when it does not learn in float32, it is as any other, to the bit."""

    def __init__(self, linear: nn.Linear) -> None:
        """Args: linear: whose weight and bias it has."""
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.train(linear.training)

    def forward(self, input: Tensor) -> Tensor:
        """(..., C) to (..., D)."""
        if torch.is_grad_enabled() and not torch.is_autocast_enabled(input.device.type):
            return linear_and_learn(input, self.weight, self.bias)
        return super().forward(input)
