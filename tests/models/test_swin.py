"""Swin's four maps: their sizes, their values against torchvision's network, their weights."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor
from torchvision.models import Swin_T_Weights

from qivis.models.backbone import BACKBONES
from qivis.models.swin import Swin


@pytest.fixture(scope="module")
def swin_t() -> Swin:
    torch.manual_seed(0)
    return BACKBONES["swin_t"]().eval()


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def with_norms_of_their_own(swin: Swin) -> None:
    for norm in swin.norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)


def test_maps_of_any_picture_are_rounded_up_as_a_resnets_are(swin_t: Swin) -> None:
    with torch.no_grad():
        maps = swin_t(torch.randn(2, 3, 101, 150))
    assert [tuple(features.shape) for features in maps] == [
        (2, 96, 26, 38),
        (2, 192, 13, 19),
        (2, 384, 7, 10),
        (2, 768, 4, 5),
    ]


def test_all_of_it_learns_also_from_a_picture_that_no_window_fits_into() -> None:
    swin = BACKBONES["swin_t"]().train()
    sum(features.square().mean() for features in swin(torch.randn(2, 3, 100, 150))).backward()
    assert all(p.requires_grad and p.grad is not None for p in swin.parameters())


@torch.no_grad()
def test_the_last_map_is_what_torchvision_classifies(swin_t: Swin) -> None:
    theirs = torchvision.models.swin_t(weights=None).eval()
    missing, unexpected = theirs.load_state_dict(swin_t.body.state_dict(), strict=False)
    assert {name.split(".")[0] for name in missing} == {"norm", "head"}
    assert unexpected == []
    images = torch.randn(1, 3, 224, 224)
    last = swin_t(images)[-1]
    torch.testing.assert_close(theirs.head(last.mean(dim=(2, 3))), theirs(images))


@torch.no_grad()
def test_each_map_has_a_norm_of_its_own(swin_t: Swin) -> None:
    with_norms_of_their_own(swin_t)
    images = torch.randn(1, 3, 64, 96)
    for stage, (features, norm) in enumerate(zip(swin_t(images), swin_t.norms, strict=True)):
        plain = swin_t.body.features[: 2 * stage + 2](images)
        expected = F.layer_norm(plain, plain.shape[-1:], norm.weight, norm.bias)
        torch.testing.assert_close(features, expected.permute(0, 3, 1, 2))


def attend(maps: Tensor, layer: torch.nn.Module, heads: int) -> Tensor:
    """Attention of Swin's equation 4 within one 7 x 7 window, written out; maps (7, 7, C)."""
    tokens = maps.reshape(49, -1)
    query, key, value = layer.qkv(tokens).reshape(49, 3, heads, -1).permute(1, 2, 0, 3)
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    for a in range(49):
        for b in range(49):
            down, right = a // 7 - b // 7 + 6, a % 7 - b % 7 + 6
            scores[:, a, b] += layer.relative_position_bias_table[13 * down + right]
    mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(49, -1)
    return layer.proj(mixed).reshape(7, 7, -1)


@torch.no_grad()
def test_a_map_of_five_by_six_is_attended_to_as_its_zero_padded_window(swin_t: Swin) -> None:
    layer = swin_t.body.features[1][0].attn
    maps = torch.randn(1, 5, 6, 96)
    padded = F.pad(maps, (0, 0, 0, 1, 0, 2))
    expected = attend(padded[0], layer, heads=3)[:5, :6]
    torch.testing.assert_close(layer(maps)[0], expected, rtol=1e-4, atol=1e-5)


def test_swin_t_has_torchvisions_weights_with_four_norms_instead_of_one_and_a_head() -> None:
    with torch.device("meta"):
        swin = BACKBONES["swin_t"]()
    head, norm = 768 * 1000 + 1000, 2 * 768
    norms = 2 * (96 + 192 + 384 + 768)
    assert count(swin) == Swin_T_Weights.IMAGENET1K_V1.meta["num_params"] - head - norm + norms


def test_swin_l_has_the_weights_of_the_paper() -> None:
    """197 M with its head of 1,000 classes (table 1 there), here by the formulas of each layer."""
    with torch.device("meta"):
        swin = BACKBONES["swin_l"]()
    expected = 3 * 192 * 16 + 192 + 2 * 192
    for depth, heads, width in zip((2, 2, 18, 2), (6, 12, 24, 48), swin.channels, strict=True):
        attention = 4 * width * width + 4 * width + 13 * 13 * heads
        mlp = 8 * width * width + 5 * width
        expected += depth * (attention + mlp + 4 * width) + 2 * width
    for width in swin.channels[:3]:
        expected += 2 * 4 * width + 8 * width * width  # merging: norm and projection
    assert swin.channels == (192, 384, 768, 1536)
    assert count(swin) == expected
    assert (expected + 1536 * 1000 + 1000) / 1e6 == pytest.approx(197, abs=0.6)


@pytest.mark.parametrize(("name", "last"), [("swin_t", 0.2), ("swin_l", 0.3)])
def test_blocks_are_dropped_ever_more_often(name: str, last: float) -> None:
    with torch.device("meta"):
        body = BACKBONES[name]().body
    drops = [block.stochastic_depth.p for stage in body.features[1::2] for block in stage]
    assert drops == pytest.approx([last * i / (len(drops) - 1) for i in range(len(drops))])
