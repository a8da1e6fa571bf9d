"""Pictures in, detections out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qivis.errors import WeightsError
from qivis.inference.predictor import Predictor, load_predictor, pick_device
from tests.tiny import noise


@pytest.fixture(scope="module")
def predictor(tiny_weights: Path) -> Predictor:
    return replace(load_predictor(tiny_weights, "cpu"), score_threshold=0.0, max_detections=5)


def test_detections_are_in_pixels_of_the_pictures(predictor: Predictor) -> None:
    small, large = predictor([noise((32, 48)), noise((200, 120))])
    assert (small.size, small.masks.shape) == ((32, 48), (5, 32, 48))
    assert (large.size, large.masks.shape) == ((200, 120), (5, 200, 120))
    assert (small.scores.diff() <= 0).all()
    assert not small.scores.requires_grad


def test_pictures_of_one_shape_are_the_same_alone_and_together(predictor: Predictor) -> None:
    images = [noise((48, 72), seed) for seed in range(3)]
    together = predictor(images)
    for image, detections in zip(images, together, strict=True):
        (alone,) = predictor([image])
        assert torch.allclose(alone.scores, detections.scores, atol=1e-5)
        assert torch.allclose(alone.boxes, detections.boxes, atol=1e-2)
        assert (alone.masks != detections.masks).float().mean() < 1e-3


def test_a_threshold_drops_what_is_unlikely(predictor: Predictor) -> None:
    (nothing,) = replace(predictor, score_threshold=0.9)([noise((48, 72))])
    assert (len(nothing), nothing.masks.shape) == (0, (0, 48, 72))


def test_settings_come_from_the_weights(tiny_weights: Path) -> None:
    predictor = load_predictor(tiny_weights, "cpu")
    assert (predictor.input.short_side, predictor.input.long_side) == (64, 96)
    assert predictor.categories.names == ("circle", "square", "triangle")
    assert not predictor.model.training


def test_heads_that_only_training_needs_are_not_kept(tiny_weights: Path) -> None:
    assert len(load_predictor(tiny_weights, "cpu").model.mask_heads) == 1


def test_the_device_is_chosen_by_name() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["toaster", "cuda:99"])
def test_a_device_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(WeightsError, match=f"device '{name}' cannot be used here .*; try cpu"):
        pick_device(name)
