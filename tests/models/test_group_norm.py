import pytest
import torch
from torch import nn

from qivis.models.group_norm import MOST_PIXELS, SmallGroupNorm


def norms(dtype):
    """PyTorch's norm in float64, the same one of this type, and ours."""
    torch.manual_seed(0)
    exact = nn.GroupNorm(4, 24)
    nn.init.uniform_(exact.weight, 0.5, 2)
    nn.init.normal_(exact.bias)
    exact.to(dtype)
    usual = nn.GroupNorm(4, 24, dtype=dtype)
    usual.load_state_dict(exact.state_dict())
    return exact.double(), usual, SmallGroupNorm(usual)


def maps(count, height, width, dtype=torch.bfloat16):
    """Channels last; each channel has a mean and a spread of its own."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(count, height, width, 24, generator=generator)
    channel = torch.arange(24.0)
    return ((1 + channel / 10) * noise + channel / 4 - 3).to(dtype).permute(0, 3, 1, 2)


@torch.inference_mode()
@pytest.mark.parametrize("count", [0, 1, 5])
def test_small_maps_are_normed_as_by_pytorch(count):
    exact, usual, ours = norms(torch.bfloat16)
    features = maps(count, 14, 14)
    found, expected = ours(features), exact(features.double())
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=torch.channels_last)
    # As close as a bfloat16 can be, whose last digit is 2 ** -8 of it.
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=2e-3)
    torch.testing.assert_close(found, usual(features), rtol=2**-7, atol=4e-3)


@torch.inference_mode()
def test_a_map_that_is_the_same_everywhere_becomes_the_bias():
    _, usual, ours = norms(torch.bfloat16)
    found = ours(torch.full((2, 6, 6, 24), 3.0, dtype=torch.bfloat16).permute(0, 3, 1, 2))
    assert torch.equal(found, usual.bias.view(-1, 1, 1).expand_as(found))


@torch.inference_mode()
@pytest.mark.parametrize(
    "features",
    [
        maps(2, 8, 8, torch.float32),
        maps(1, MOST_PIXELS // 32, 32),
        maps(2, 8, 8).contiguous(),
    ],
    ids=["float32", "large", "channels first"],
)
def test_other_maps_are_left_to_pytorch(features):
    _, usual, ours = norms(features.dtype)
    assert torch.equal(ours(features), usual(features))
