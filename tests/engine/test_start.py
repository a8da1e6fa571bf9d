"""What a training starts from."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qivis.engine.start import starting_model
from qivis.errors import WeightsError
from qivis.models.source import open_weights
from qivis.models.weights import save_weights
from qivis.structures import Categories, Category
from tests.tiny import FEATURIZED, TINY

SHAPES = Categories((Category(1, "circle"), Category(3, "square"), Category(7, "triangle")))
OTHERS = Categories((Category(1, "star"), Category(2, "square")))


def test_the_seed_decides_the_first_weights() -> None:
    one, same, other = (starting_model(TINY, SHAPES, None, seed) for seed in (1, 1, 2))
    name = "stages.0.flatten.weight"
    assert torch.equal(one.get_parameter(name), same.get_parameter(name))
    assert not torch.equal(one.get_parameter(name), other.get_parameter(name))


def test_the_backbone_starts_from_imagenet() -> None:
    one, other = (starting_model(TINY, SHAPES, None, seed) for seed in (1, 2))
    name = "backbone.body._conv_stem.weight"
    assert torch.equal(one.get_parameter(name), other.get_parameter(name))


def test_stored_weights_can_be_the_start(tiny_weights: Path) -> None:
    stored, _ = open_weights(tiny_weights)
    expected = stored.state_dict()
    again = starting_model(TINY, SHAPES, str(tiny_weights), 5)
    assert all(torch.equal(t, expected[name]) for name, t in again.state_dict().items())


def test_weights_of_other_classes_and_without_association_can_be_the_start(
    tiny_weights: Path,
) -> None:
    stored, _ = open_weights(tiny_weights)
    model = starting_model(replace(TINY, association="mlp"), OTHERS, str(tiny_weights), 5)
    name = "stages.1.class_logits.weight"
    assert torch.equal(model.get_parameter(name)[1], stored.get_parameter(name)[1])
    assert model.association is not None


def test_weights_of_another_network_are_refused(tiny_weights: Path) -> None:
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: cannot be trained on with this co"):
        starting_model(FEATURIZED, SHAPES, str(tiny_weights), 0)


def test_weights_for_inference_are_refused(tiny_weights: Path, tmp_path: Path) -> None:
    model, header = open_weights(tiny_weights)
    path = tmp_path / "inference.safetensors"
    save_weights(path, model, replace(header, inference_only=True), torch.float32)
    with pytest.raises(WeightsError, match=r"inference\.safetensors: .*only training needs"):
        starting_model(TINY, SHAPES, str(path), 0)


def test_a_start_that_would_run_code_is_refused_and_does_not(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    for name in ("evil.pth", "evil.safetensors"):
        torch.save({"state_dict": Code()}, tmp_path / name)
        with pytest.raises(WeightsError, match=rf"{name}: not a readable weights file"):
            starting_model(TINY, SHAPES, str(tmp_path / name), seed=0)
    assert not (tmp_path / "ran").exists()
