import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qivis.models.linear import OneDnnLinear, learn_linear_by_onednn
from qivis.ops.onednn import has_onednn

pytestmark = pytest.mark.skipif(not has_onednn(torch.device("cpu")), reason="needs oneDNN")


def learned(layer, features, *, autocast=False):
    """The result, and the weight's gradient."""
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        result = layer(features)
    (gradient,) = torch.autograd.grad(result.float().square().sum(), layer.weight)
    return result.detach(), gradient


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Linear(256, 300)


@pytest.fixture
def features():
    return torch.randn(2, 5, 256, generator=torch.Generator().manual_seed(1))


def test_wide_layers_are_replaced_and_keep_their_weights_and_names():
    model = nn.Sequential(nn.Linear(256, 256), nn.Sequential(nn.Linear(256, 128, bias=False)))
    state, parameters = model.state_dict(), list(model.parameters())
    learn_linear_by_onednn(model)
    assert [type(model[0]), type(model[1][0])] == [OneDnnLinear, OneDnnLinear]
    assert list(model.state_dict()) == list(state)
    assert all(new is old for new, old in zip(model.parameters(), parameters, strict=True))


def test_narrow_layers_and_those_of_attention_stay():
    model = nn.Sequential(nn.Linear(128, 128), nn.MultiheadAttention(256, 8))
    learn_linear_by_onednn(model)
    assert not [layer for layer in model.modules() if isinstance(layer, OneDnnLinear)]


def test_it_learns_as_any_other(linear, features):
    expected = learned(linear, features)
    for found, same in zip(learned(OneDnnLinear(linear), features), expected, strict=True):
        torch.testing.assert_close(found, same, rtol=1e-4, atol=1e-4)


def test_without_gradients_it_is_as_any_other_to_the_bit(linear, features):
    with torch.no_grad():
        assert torch.equal(OneDnnLinear(linear)(features), F.linear(features, *linear.parameters()))


def test_in_bfloat16_it_is_as_any_other_to_the_bit(linear, features):
    expected = learned(linear, features, autocast=True)
    found = learned(OneDnnLinear(linear), features, autocast=True)
    assert found[0].dtype == torch.bfloat16
    assert all(torch.equal(ours, same) for ours, same in zip(found, expected, strict=True))
