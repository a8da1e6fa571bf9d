import pytest
import torch
from torch.nn import functional as F

from qivis.ops import winograd
from qivis.ops.winograd import convolve, transform_kernel


def layer(channels, filters, dtype=torch.float64):
    torch.manual_seed(0)
    weight = torch.randn(filters, channels, 3, 3, dtype=dtype) / channels**0.5
    return weight, torch.randn(filters, dtype=dtype)


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (1, 1), (5, 7), (14, 14), (3, 18)])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_it_is_the_convolution(size, images):
    weight, bias = layer(5, 6)
    features = torch.randn(images, 5, *size, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1)
    found = convolve(features, transform_kernel(weight), bias)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("limits", [(0.0, None), (0.0, 1.0), (None, 0.5)])
def test_results_stay_within_the_limits(limits):
    weight, bias = layer(5, 6)
    features = torch.randn(2, 5, 9, 8, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1).clamp(*limits)
    found = convolve(features, transform_kernel(weight), bias, limits)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels_and_filters", [(32, 8), (8, 32)])
def test_maps_too_large_for_the_caches_are_done_in_parts(monkeypatch, channels_and_filters):
    weight, bias = layer(*channels_and_filters)
    features = torch.randn(2, len(weight[0]), 44, 8, dtype=torch.float64)
    expected = F.conv2d(features, weight, bias, padding=1)
    counts = []
    tiles = winograd._tiles
    monkeypatch.setattr(winograd, "_tiles", lambda *args: counts.append(args[2]) or tiles(*args))
    # Rows have 2 tiles in each of 2 images, of 36 points, 32 channels and 8 bytes.
    monkeypatch.setattr(winograd, "_BYTES", 4 * (4 * 36 * 32 * 8))
    found = convolve(features, transform_kernel(weight), bias)
    assert counts == [4, 4, 3]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 4e-6), (torch.bfloat16, 0.03)])
def test_rounding_does_little_harm(dtype, most):
    weight, _ = layer(128, 128)
    features = torch.randn(1, 128, 16, 16, dtype=torch.float64).relu().to(dtype)
    expected = F.conv2d(features.double(), weight, padding=1)
    found = convolve(features, transform_kernel(weight).to(dtype), torch.zeros(128, dtype=dtype))
    error = (found.double() - expected).square().mean().sqrt() / expected.std()
    assert error < most


def test_the_transforms_are_exact_in_bfloat16():
    for matrix in (winograd._EVALUATE, winograd._INTERPOLATE):
        assert torch.equal(matrix.bfloat16().double(), matrix)
