"""Deformable convolution against plain convolution, and where a ResNeXt has it."""

import pytest
import torch
from torch import nn
from torchvision.models import ResNeXt101_64X4D_Weights
from torchvision.models.resnet import Bottleneck, ResNet

from qivis.models.backbone import BACKBONES
from qivis.models.deformable import DeformableConv, deform


def small_resnext() -> ResNet:
    """Of the four stages, one block each, two groups."""
    torch.manual_seed(0)
    return deform(ResNet(Bottleneck, [1, 1, 1, 1], groups=2, width_per_group=4))


@pytest.mark.parametrize("groups", [1, 2])
def test_without_offsets_it_is_the_plain_convolution(groups: int) -> None:
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=groups, bias=False)
    features = torch.randn(2, 4, 9, 12)
    torch.testing.assert_close(DeformableConv(plain)(features), plain(features))


@torch.no_grad()
def test_an_offset_moves_what_a_place_of_the_kernel_sees() -> None:
    plain = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    plain.weight.zero_()[0, 0, 1, 1] = 1.0  # only the middle counts
    layer = DeformableConv(plain)
    layer.offsets.bias.view(9, 2)[4] = torch.tensor([1.0, 0.5])  # a row down, half a column right
    features = torch.arange(12.0).view(1, 1, 3, 4)
    expected = torch.tensor([[4.5, 5.5, 6.5, 3.5], [8.5, 9.5, 10.5, 5.5], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(layer(features)[0, 0], expected)  # half of the last column is zero


def test_in_bfloat16_it_computes_and_gives_bfloat16() -> None:
    plain = nn.Conv2d(4, 6, 3, padding=1, bias=False)
    features = torch.randn(1, 4, 5, 7)
    expected = plain(features)
    rounded = DeformableConv(plain).bfloat16()(features.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), expected, rtol=0.05, atol=0.05)


def test_offsets_and_weights_learn() -> None:
    layer = DeformableConv(nn.Conv2d(2, 2, 3, padding=1, bias=False))
    layer(torch.randn(1, 2, 5, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_stages_three_to_five_are_deformable() -> None:
    body = small_resnext()
    assert [type(layer[0].conv2) for layer in (body.layer1, body.layer2, body.layer3)] == [
        *(nn.Conv2d, DeformableConv, DeformableConv)
    ]
    assert isinstance(body.layer4[0].conv2, DeformableConv)


def test_at_the_start_the_whole_network_is_as_it_was() -> None:
    torch.manual_seed(0)
    plain = ResNet(Bottleneck, [1, 1, 1, 1], groups=2, width_per_group=4).eval()
    deformed = small_resnext().eval()
    names = {name for name in deformed.state_dict() if ".offsets." not in name}
    assert names == plain.state_dict().keys()
    deformed.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(1, 3, 100, 150)
    with torch.no_grad():
        torch.testing.assert_close(deformed(images), plain(images))


def test_the_backbone_has_torchvisions_weights_and_offsets_but_no_head() -> None:
    with torch.device("meta"):
        backbone = BACKBONES["resnext101_64x4d_dcn"]()
    offsets = sum(
        blocks * 18 * (9 * width + 1) for blocks, width in ((4, 512), (23, 1024), (3, 2048))
    )
    published = ResNeXt101_64X4D_Weights.IMAGENET1K_V1.meta["num_params"]
    assert sum(p.numel() for p in backbone.parameters()) == published - 2049 * 1000 + offsets
    frozen = {name.split(".")[1] for name, p in backbone.named_parameters() if not p.requires_grad}
    assert frozen == {"conv1", "bn1", "layer1"}
