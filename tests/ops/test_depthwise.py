import pytest
import torch
from torch.nn import functional as F

from qivis.ops.depthwise import convolve_depthwise


def learned(convolve, features, weight, stride, padding):
    leaves = [tensor.clone().requires_grad_() for tensor in (features, weight)]
    result = convolve(*leaves, stride, padding)
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(result.shape, generator=generator, dtype=result.dtype)
    return result.detach(), *torch.autograd.grad(result, leaves, gradient)


def by_pytorch(features, weight, stride, padding):
    return F.conv2d(features, weight, None, stride, padding, groups=len(weight))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(9, 9), (12, 7), (7, 12), (5, 5)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_result_and_gradients_are_those_of_pytorch(kernel, stride, size, layout):
    torch.manual_seed(0)
    features = torch.randn(2, 4, *size, dtype=torch.float64).to(memory_format=layout)
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64).to(memory_format=layout)
    padding = (kernel - 1) // 2 if stride == 1 else 0
    found = learned(convolve_depthwise, features, weight, stride, padding)
    expected = learned(by_pytorch, features, weight, stride, padding)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_only_the_gradients_that_are_wanted_are_made():
    features, weight = torch.randn(2, 4, 9, 9), torch.randn(4, 1, 5, 5, requires_grad=True)
    convolve_depthwise(features, weight, 1, 2).sum().backward()
    assert weight.grad is not None
    assert features.grad is None
    features.requires_grad_()
    convolve_depthwise(features, weight.detach(), 1, 2).sum().backward()
    assert features.grad is not None


def test_in_autocast_pytorch_chooses_the_precision():
    features, weight = torch.randn(1, 4, 9, 9), torch.randn(4, 1, 5, 5, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        result = convolve_depthwise(features, weight, 1, 2)
    assert result.dtype == torch.bfloat16
    result.sum().backward()
    assert weight.grad.dtype == torch.float32
