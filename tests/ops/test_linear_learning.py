import pytest
import torch
from torch.nn import functional as F

from qivis.ops.linear_learning import linear_and_learn
from qivis.ops.onednn import has_onednn

pytestmark = pytest.mark.skipif(not has_onednn(torch.device("cpu")), reason="needs oneDNN")


def layer(shape, channels, filters):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *sizes: torch.randn(*sizes, generator=generator).requires_grad_()  # noqa: E731
    return draw(*shape, channels), draw(filters, channels), draw(filters)


@pytest.mark.parametrize("sides", [(30, 50), (50, 30), (40, 40)])
@pytest.mark.parametrize("shape", [(7,), (2, 5), (1,), (0,), (2, 0)])
def test_it_is_a_linear_layer_and_learns_as_one(shape, sides):
    inputs = layer(shape, *sides)
    found, expected = linear_and_learn(*inputs), F.linear(*inputs)
    torch.testing.assert_close(found, expected)
    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert ours.is_contiguous()


def test_without_a_bias():
    features, weight, _ = layer((3,), 30, 50)
    found = linear_and_learn(features, weight, None)
    torch.testing.assert_close(found, F.linear(features, weight))
    found.sum().backward()
    torch.testing.assert_close(features.grad, weight.detach().sum(dim=0).expand(3, -1))


def test_what_is_frozen_learns_nothing():
    features, weight, bias = layer((3,), 30, 50)
    linear_and_learn(features.detach(), weight.requires_grad_(False), bias).sum().backward()
    assert features.grad is None
    assert weight.grad is None
    assert bias.grad.tolist() == [3.0] * 50


def test_a_result_can_be_changed_in_place():
    inputs = layer((2, 5), 30, 50)
    changed = linear_and_learn(*inputs).relu_()
    torch.testing.assert_close(changed, F.linear(*inputs).relu())
    changed.sum().backward()
    assert inputs[0].grad.shape == (2, 5, 30)
