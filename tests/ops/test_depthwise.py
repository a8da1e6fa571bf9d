"""Gradients of depthwise convolutions, against PyTorch's own in float64."""

import pytest
import torch
from torch.nn import functional as F

from qivis.ops.depthwise import Depthwise
from qivis.ops.onednn import even_padding

LAYOUTS = pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
SIZES = pytest.mark.parametrize("size", [(9, 9), (12, 7), (7, 12), (5, 5), (2, 2)])


def both(features, weight, stride, padding):
    """The gradients of features and kernel, as found and as they should be."""
    leaves = [tensor.clone().requires_grad_() for tensor in (features, weight)]
    result = F.conv2d(*leaves, None, stride, padding, groups=len(weight))
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(result.shape, generator=generator, dtype=result.dtype)
    layer = Depthwise(stride, (padding, padding))
    found = [learn(gradient, features, weight) for learn in (layer.of_features, layer.of_kernel)]
    return found, torch.autograd.grad(result, leaves, gradient)


def maps(size, layout):
    torch.manual_seed(0)
    return torch.randn(2, 4, *size, dtype=torch.float64).to(memory_format=layout)


@pytest.mark.parametrize("kernel", [3, 5])
@SIZES
@LAYOUTS
def test_gradients_are_those_of_pytorch(kernel, size, layout):
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64).to(memory_format=layout)
    found, expected = both(maps(size, layout), weight, 1, kernel // 2)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [3, 5])
@SIZES
@LAYOUTS
def test_kernels_with_even_padding_learn_in_all_but_their_zeros(kernel, size, layout):
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64).to(memory_format=layout)
    longer, padding = even_padding(weight)
    (of_features, of_kernel), expected = both(maps(size, layout), longer, 2, padding)
    torch.testing.assert_close(of_features, expected[0], rtol=0, atol=1e-12)
    learned = (..., slice(1, None), slice(1, None))
    torch.testing.assert_close(of_kernel[learned], expected[1][learned], rtol=0, atol=1e-12)
