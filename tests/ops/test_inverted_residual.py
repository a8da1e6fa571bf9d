"""An inverted residual in one step, against the plain block in float64."""

import copy

import pytest
import torch

from qivis.models.efficientnet_lite import InvertedResidual
from qivis.models.optimize_training import FoldedResidual
from qivis.ops.onednn import has_onednn

pytestmark = pytest.mark.skipif(
    not has_onednn(torch.device("cpu")), reason="PyTorch without oneDNN"
)
CHANNELS = 8
SHAPES = pytest.mark.parametrize(
    ("width", "kernel", "stride"), [(8, 3, 1), (8, 5, 1), (12, 5, 1), (12, 3, 2), (12, 5, 2)]
)


def block_of(width, kernel, stride):
    """A block whose norms do something, and whose ReLU6 stop some values at both limits."""
    torch.manual_seed(0)
    block = InvertedResidual(CHANNELS, width, kernel, stride, expansion=2).eval()
    for _, norm in block.layers():
        norm.weight.data.uniform_(0.5, 4)
        norm.bias.data.uniform_(-1, 4)
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.2, 1)
    return block.to(memory_format=torch.channels_last)


def learned(forward, block, features):
    features = features.clone().requires_grad_()
    result = forward(features)
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(result.shape, generator=generator).to(result.dtype)
    result.backward(gradient)
    gradients = {name: weight.grad for name, weight in block.named_parameters()}
    return {"result": result.detach(), "features": features.grad, **gradients}


@SHAPES
def test_result_and_gradients_are_those_of_the_block(width, kernel, stride):
    block = block_of(width, kernel, stride)
    features = torch.randn(2, CHANNELS, 11, 14).to(memory_format=torch.channels_last)
    exact = copy.deepcopy(block).double()
    expected = learned(exact.forward, exact, features.double())
    found = learned(FoldedResidual(block), block, features)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        scale = expected[name].abs().max().item()
        assert scale > 0, name
        torch.testing.assert_close(
            value.double(), expected[name], rtol=0, atol=2e-6 * scale, msg=name
        )


def test_a_map_that_does_not_learn_gets_no_gradient():
    block = block_of(8, 3, 1)
    features = torch.randn(1, CHANNELS, 6, 6)
    FoldedResidual(block)(features).sum().backward()
    assert features.grad is None
    assert all(weight.grad is not None for weight in block.parameters())


def test_a_block_that_does_not_learn_is_the_plain_one_to_the_bit():
    block = block_of(8, 5, 1)
    features = torch.randn(1, CHANNELS, 6, 6)
    with torch.no_grad():
        assert torch.equal(FoldedResidual(block)(features), block(features))


def test_of_what_is_between_the_two_hidden_maps_are_kept_and_nothing_else():
    block = block_of(8, 3, 1)
    features = torch.randn(1, CHANNELS, 64, 64, requires_grad=True)
    kept = {}

    def note(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = FoldedResidual(block)(features)
    assert result.requires_grad
    small = sum(count for count in kept.values() if count < features.numel())
    assert sum(kept.values()) - small == features.numel() * (1 + 2 + 2)
