"""Weights by name, by path, or as they come with the package."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from qivis.config import ModelConfig
from qivis.errors import WeightsError
from qivis.models import zoo
from qivis.models.convert import convert
from qivis.models.source import find_weights, open_weights
from tests.golden.small import (
    DYNAMIC_WIDTH,
    FFN_WIDTH,
    NUM_QUERIES,
    NUM_STAGES,
    WIDTH,
    small_state_dict,
)

NAME = "queryinst_r50_300q_coco"
SMALL = ModelConfig(
    num_queries=NUM_QUERIES,
    num_stages=NUM_STAGES,
    width=WIDTH,
    ffn_width=FFN_WIDTH,
    dynamic_width=DYNAMIC_WIDTH,
)


@pytest.fixture
def published(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkpoint in the place of a published one; its checksum is in its name."""
    checkpoint = mirror / "checkpoint.pth"
    torch.save({"meta": {}, "state_dict": small_state_dict()}, checkpoint)
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:8]
    entry = zoo.Published(config="small", version=f"20210904_101802-{digest}", model=SMALL)
    monkeypatch.setattr(zoo, "ZOO", {NAME: entry})
    (mirror / "small").mkdir()
    return checkpoint.rename(mirror / "small" / entry.file_name)


def sums(state_dict: dict[str, Tensor]) -> list[float]:
    return sorted(tensor.double().sum().item() for tensor in state_dict.values())


@pytest.mark.usefixtures("published")
def test_a_name_brings_the_published_weights_into_their_network() -> None:
    model, header = open_weights(NAME)
    assert sums(model.state_dict()) == sums(small_state_dict())
    assert header.model == SMALL
    assert header.categories.names[:2] == ("person", "bicycle")


def test_a_path_brings_the_weights_of_the_file(published: Path, tmp_path: Path) -> None:
    convert(published, tmp_path / "own.safetensors", inference_only=False, dtype=torch.float32)
    model, header = open_weights(tmp_path / "own.safetensors")
    assert sums(model.state_dict()) == sums(small_state_dict())
    assert header.model == SMALL


def test_a_checkpoint_of_another_network_is_named_with_what_it_lacks(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {name: t for name, t in small_state_dict().items() if "neck" not in name}
    torch.save({"state_dict": some}, published)
    digest = hashlib.sha256(published.read_bytes()).hexdigest()[:8]
    entry = zoo.Published(config="small", version=f"20210904_101802-{digest}", model=SMALL)
    monkeypatch.setattr(zoo, "ZOO", {NAME: entry})
    published.rename(published.with_name(entry.file_name))
    with pytest.raises(WeightsError, match=rf"{entry.file_name}: .*missing fpn\.lateral\.0\.bias"):
        open_weights(NAME)


def test_a_cached_file_that_is_damaged_is_named_once_and_how_to_get_it_again(
    published: Path,
) -> None:
    open_weights(NAME)
    kept = find_weights(NAME)
    assert kept != published
    kept.write_bytes(kept.read_bytes()[:1000])
    expected = f"^{kept}: not a readable .*; delete it, and it is downloaded again$"
    with pytest.raises(WeightsError, match=expected) as caught:
        open_weights(NAME)
    assert str(caught.value).count(str(kept)) == 1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("folder/gone.safetensors", "folder/gone.safetensors: no such file"),
        ("gone.safetensors", "gone.safetensors: no such file"),
        ("queryinst_r50_30q_coco", "no published weights are called 'queryinst_r50_30q_coco'"),
    ],
)
def test_what_does_not_exist_is_named(weights: str, message: str) -> None:
    with pytest.raises(WeightsError) as caught:
        open_weights(weights)
    assert str(caught.value).startswith(message)
