import pytest
import torch
from torch.nn import functional as F

from qivis.ops import winograd
from qivis.ops.winograd import bias_at_points, convolve, convolve_tiles, transform_kernel


def layer(channels, filters, dtype=torch.float64):
    torch.manual_seed(0)
    weight = torch.randn(filters, channels, 3, 3, dtype=dtype) / channels**0.5
    return weight, torch.randn(filters, dtype=dtype)


def products(weight, bias, counts=None):
    """By what values are multiplied; notes of how many tiles they are."""
    kernel, summand = transform_kernel(weight), bias_at_points(bias)

    def multiply(values):
        if counts is not None:
            counts.append(len(values))
        return torch.einsum("tpc,pcd->tpd", values, kernel) + summand

    return multiply


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (1, 1), (5, 7), (14, 14), (3, 18)])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_it_is_the_convolution(size, images):
    weight, bias = layer(5, 6)
    features = torch.randn(images, 5, *size, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1)
    found = convolve(features, 6, products(weight, bias))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("limits", [(0.0, None), (0.0, 1.0), (None, 0.5)])
def test_results_stay_within_the_limits(limits):
    weight, bias = layer(5, 6)
    features = torch.randn(2, 5, 9, 8, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1).clamp(*limits)
    found = convolve(features, 6, products(weight, bias), limits)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels_and_filters", [(32, 8), (8, 32)])
@pytest.mark.parametrize(
    ("rows", "tiles"),
    [
        (12, [8] * 6),  # three parts of 4 rows in each of the two maps
        (11, [8] * 6),  # the last one overlaps the second
        (9, [6] * 6),  # no part is larger than it has to be
        (4, [8] * 2),
    ],
)
def test_maps_too_large_for_the_caches_are_done_in_parts_of_one_size(
    monkeypatch, channels_and_filters, rows, tiles
):
    weight, bias = layer(*channels_and_filters)
    features = torch.randn(2, len(weight[0]), 4 * rows, 8, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1)
    counts = []
    # A tile has 36 points and 32 channels; two make a row.
    monkeypatch.setattr(winograd, "_VALUES", 9 * (36 * 32))
    monkeypatch.setattr(winograd, "_ENOUGH_TILES", 8)
    found = convolve(features, len(weight), products(weight, bias, counts))
    assert counts == tiles
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 12), (5, 7)])
def test_a_result_is_written_where_it_is_asked_for(size):
    weight, bias = layer(5, 6)
    features = torch.randn(2, 5, *size, dtype=torch.float64)
    memory = torch.full((2, size[0] * size[1] + 3, 6), torch.nan, dtype=torch.float64)
    # Rows after those of the first map; the result may be part of something larger.
    out = memory.flatten(0, 1)[4 : 4 + 2 * size[0] * size[1]].view(2, *size, 6).permute(0, 3, 1, 2)
    found = convolve(features, 6, products(weight, bias), (0, None), out)
    assert found is out
    expected = F.conv2d(features, weight, bias, padding=1).relu()
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    assert memory.isnan().sum() == 6 * 6


@pytest.mark.parametrize(
    ("maps", "tiles"), [(1, [16]), (3, [48]), (4, [64]), (8, [64, 64]), (9, [80, 80])]
)
def test_small_maps_are_done_together_in_parts_of_one_size(maps, tiles):
    weight, bias = layer(5, 6)
    features = torch.randn(maps, 5, 14, 14, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1)
    counts = []
    found = convolve(features, 6, products(weight, bias, counts))
    assert counts == tiles
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 4e-6), (torch.bfloat16, 0.03)])
def test_rounding_does_little_harm(dtype, most):
    weight, _ = layer(128, 128)
    features = torch.randn(1, 128, 16, 16, dtype=torch.float64).relu().to(dtype)
    expected = F.conv2d(features.double(), weight, padding=1)
    kernel = transform_kernel(weight).to(dtype)
    found = convolve(
        features, 128, lambda values: torch.bmm(values.transpose(0, 1), kernel).transpose(0, 1)
    )
    error = (found.double() - expected).square().mean().sqrt() / expected.std()
    assert error < most


def test_the_transforms_are_exact_in_bfloat16():
    for matrix in (winograd.EVALUATE, winograd.INTERPOLATE):
        assert torch.equal(matrix.bfloat16().double(), matrix)


def test_tiles_are_convolved_alone():
    weight, bias = layer(5, 6)
    tiles = torch.randn(3, 6, 6, 5, dtype=torch.float64)
    found = convolve_tiles(tiles.flatten(1, 2), products(weight, bias))
    expected = F.conv2d(tiles.permute(0, 3, 1, 2), weight, bias).permute(0, 2, 3, 1)
    torch.testing.assert_close(found.view(3, 4, 4, 6), expected, rtol=0, atol=1e-12)
