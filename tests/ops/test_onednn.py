import pytest
import torch
from torch.nn import functional as F

from qivis.ops.onednn import even_padding


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
