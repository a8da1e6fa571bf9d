import pytest
import torch
from torch.nn import functional as F

from qivis.ops import winograd_learning
from qivis.ops.winograd_learning import convolve_and_learn


def make(images, channels, filters, size, dtype=torch.float64):
    """Features, weight and bias, and what their convolution's gradient is to be."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    weight = draw(filters, channels, 3, 3) / channels**0.5
    return draw(images, channels, *size), weight, draw(filters), draw(images, filters, *size)


def learned(convolve, features, weight, bias, gradient):
    """The result, and the gradients of all three."""
    leaves = [tensor.clone().requires_grad_() for tensor in (features, weight, bias)]
    result = convolve(*leaves)
    return result.detach(), *torch.autograd.grad(result, leaves, gradient)


def one_by_one(features, weight, bias):
    return F.conv2d(features, weight, bias, padding=1)


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (1, 1), (5, 7), (14, 14), (3, 18)])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_result_and_gradients_are_those_of_the_convolution(size, images):
    layer = make(images, 5, 6, size)
    for found, expected in zip(
        learned(convolve_and_learn, *layer), learned(one_by_one, *layer), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("tiles", [1, 5, 12, 30, 1000])
def test_it_does_not_matter_in_how_many_parts_it_is_done(monkeypatch, tiles):
    layer = make(3, 4, 5, (13, 18))  # 4 x 5 tiles a map
    expected = learned(one_by_one, *layer)
    monkeypatch.setattr(winograd_learning, "TILES_AT_ONCE", tiles)
    for found, wanted in zip(learned(convolve_and_learn, *layer), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, 1)])
def test_only_the_gradients_that_are_wanted_are_made(wanted):
    *layer, gradient = make(2, 4, 5, (8, 8))
    expected = learned(one_by_one, *layer, gradient)[1:]
    leaves = [
        tensor.clone().requires_grad_(bool(w)) for tensor, w in zip(layer, wanted, strict=True)
    ]
    convolve_and_learn(*leaves).backward(gradient)
    for leaf, right, is_wanted in zip(leaves, expected, wanted, strict=True):
        if is_wanted:
            torch.testing.assert_close(leaf.grad, right, rtol=0, atol=1e-11)
        else:
            assert leaf.grad is None


def test_a_layer_may_have_no_bias():
    features, weight, _, gradient = make(2, 4, 5, (8, 8))
    weight.requires_grad_()
    found = convolve_and_learn(features, weight, None)
    torch.testing.assert_close(found, F.conv2d(features, weight, padding=1), rtol=0, atol=1e-11)
    found.backward(gradient)
    assert weight.grad.shape == weight.shape


def test_with_channels_last_all_is_channels_last():
    features, weight, bias, gradient = (
        tensor if tensor.dim() == 1 else tensor.to(memory_format=torch.channels_last)
        for tensor in make(2, 8, 8, (8, 8))
    )
    for tensor in learned(convolve_and_learn, features, weight, bias, gradient)[:3]:
        assert tensor.stride(1) == 1


def test_rounding_does_little_harm():
    layer = make(2, 96, 96, (36, 36), torch.float32)
    exact = learned(one_by_one, *(tensor.double() for tensor in layer))
    for found, expected in zip(learned(convolve_and_learn, *layer), exact, strict=True):
        error = (found.double() - expected).square().mean().sqrt() / expected.std()
        assert error < 2e-6
