import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qivis.models.winograd_conv import WinogradConv2d, learn_by_winograd


@pytest.fixture(autouse=True)
def _multiplies_fast(monkeypatch):
    """As on most processors."""
    monkeypatch.setattr(
        "qivis.models.winograd_conv.multiplies_as_fast_as_it_convolves", lambda: True
    )


def wide(**settings):
    return nn.Conv2d(96, 96, 3, **{"padding": 1, **settings})


def features(images=2, side=36, channels=96):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(images, channels, side, side, generator=generator)


def test_wide_convolutions_are_replaced_and_keep_their_weights_and_names():
    model = nn.Sequential(wide(), nn.ReLU(), nn.Sequential(wide(bias=False)))
    state, parameters = model.state_dict(), list(model.parameters())
    learn_by_winograd(model)
    assert [type(model[0]), type(model[2][0])] == [WinogradConv2d, WinogradConv2d]
    assert list(model.state_dict()) == list(state)
    assert all(new is old for new, old in zip(model.parameters(), parameters, strict=True))
    assert not any(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(
    "layer",
    [
        wide(stride=2),
        wide(padding=0),
        wide(dilation=2),
        wide(groups=2),
        nn.Conv2d(96, 96, 1, padding=1),
        nn.Conv2d(95, 96, 3, padding=1),
        nn.Conv2d(96, 95, 3, padding=1),
    ],
    ids=str,
)
def test_other_layers_stay(layer):
    model = nn.Sequential(layer)
    learn_by_winograd(model)
    assert model[0] is layer


def test_processors_that_convolve_faster_than_they_multiply_keep_all(monkeypatch):
    monkeypatch.setattr(
        "qivis.models.winograd_conv.multiplies_as_fast_as_it_convolves", lambda: False
    )
    model = nn.Sequential(wide())
    learn_by_winograd(model)
    assert type(model[0]) is nn.Conv2d


def test_it_learns_what_the_layer_learns():
    plain = wide()
    layer = WinogradConv2d(plain)
    found, expected = layer(features()), F.conv2d(features(), plain.weight, plain.bias, padding=1)
    assert not torch.equal(found, expected)  # else it went the other way
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    gradient = torch.autograd.grad(found.square().sum(), (plain.weight, plain.bias))
    right = torch.autograd.grad(expected.square().sum(), (plain.weight, plain.bias))
    for mine, theirs in zip(gradient, right, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("images", "side"),
    [(2, 14), (2, 9), (1, 20)],
    ids=["tiles hang over", "few tiles in a map", "few tiles in all"],
)
def test_where_it_does_not_pay_it_convolves_as_any_other(images, side):
    layer = WinogradConv2d(wide())
    maps = features(images, side)
    assert torch.equal(layer(maps), F.conv2d(maps, layer.weight, layer.bias, padding=1))


def test_what_does_not_learn_convolves_as_any_other():
    layer = WinogradConv2d(wide())
    expected = F.conv2d(features(), layer.weight, layer.bias, padding=1)
    with torch.no_grad():
        assert torch.equal(layer(features()), expected)
    layer.requires_grad_(False)
    assert torch.equal(layer(features().requires_grad_()), expected)


def test_in_autocast_pytorch_chooses_the_precision():
    layer = WinogradConv2d(wide())
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(features()).dtype == torch.bfloat16
