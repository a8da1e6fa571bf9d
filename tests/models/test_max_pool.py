import pytest
import torch
from torch import nn

from qivis.models.max_pool import PooledRelu, suits_pooled_relu


def relu_maps(height, width, dtype):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, height, width, 5, generator=generator).relu()
    return maps.to(dtype).permute(0, 3, 1, 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("size", [(2, 2), (8, 12), (7, 12), (8, 5)])
def test_the_largest_of_nine_is_found_as_by_pytorch(dtype, size):
    maps = relu_maps(*size, dtype)
    found, expected = PooledRelu()(maps), nn.MaxPool2d(3, stride=2, padding=1)(maps)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_what_is_no_number_is_not_lost():
    maps = relu_maps(8, 8, torch.bfloat16)
    maps[0, 0, 3, 3] = torch.nan
    assert PooledRelu()(maps)[0, 0].isnan().nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


@pytest.mark.parametrize(
    ("pool", "suits"),
    [
        (nn.MaxPool2d(3, stride=2, padding=1), True),
        (nn.MaxPool2d(2, stride=2), False),
        (nn.MaxPool2d(3, stride=1, padding=1), False),
    ],
)
def test_pooling_of_another_kind_does_not_suit(pool, suits):
    assert suits_pooled_relu(pool) == suits
