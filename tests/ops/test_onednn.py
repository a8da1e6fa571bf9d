import itertools

import pytest
import torch
from torch.nn import functional as F

from qivis.ops.onednn import Geometry, convolve_and_add, even_padding, has_onednn

ON_CPU = pytest.mark.skipif(not has_onednn(torch.device("cpu")), reason="PyTorch without oneDNN")


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_even_padding_gives_what_padding_right_and_below_gives(kernel, size):
    features = torch.randn(1, 2, *size, dtype=torch.float64)
    weight = torch.randn(3, 2, kernel, kernel, dtype=torch.float64)
    before = (kernel - 2) // 2
    padded = F.pad(features, (before, kernel - 2 - before) * 2)
    longer, padding = even_padding(weight)
    evened = F.conv2d(features, longer, None, 2, padding)
    torch.testing.assert_close(evened, F.conv2d(padded, weight, None, 2), rtol=0, atol=1e-12)


@ON_CPU
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_a_sum_is_the_same_in_the_place_of_its_other_map(dtype, activation):
    torch.manual_seed(0)
    features, other = (
        torch.randn(2, width, 7, 5).to(dtype, memory_format=torch.channels_last) for width in (6, 8)
    )
    layer = (torch.randn(8, 6, 1, 1).to(dtype), torch.randn(8).to(dtype), Geometry(padding=(0, 0)))
    apart = convolve_and_add(features, other, *layer, activation)
    kept = other.clone()
    into = convolve_and_add(features, other, *layer, activation, overwrite=True)
    assert torch.equal(into, apart)
    assert into.data_ptr() == other.data_ptr() != apart.data_ptr()
    plain = F.conv2d(features.float(), layer[0].float(), layer[1].float()) + kept
    expected = plain if activation == "none" else plain.relu()
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.05}
    torch.testing.assert_close(into.float(), expected, **close)


@ON_CPU
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [(7, 5), (1, 1), (1, 5)])
def test_a_sum_is_the_same_however_its_maps_lie(dtype, size):
    maps = [torch.randn(2, width, *size).to(dtype) for width in (6, 8)]
    layer = (torch.randn(8, 6, 1, 1).to(dtype), torch.randn(8).to(dtype), Geometry(padding=(0, 0)))
    orders = (torch.contiguous_format, torch.channels_last)
    sums = [
        convolve_and_add(
            maps[0].to(memory_format=first),
            maps[1].to(memory_format=second, copy=True),
            *layer,
            "relu",
            overwrite=overwrite,
        )
        for first, second, overwrite in itertools.product(orders, orders, (False, True))
    ]
    assert all(torch.equal(found, sums[0]) for found in sums)
    assert sums[0].any()
