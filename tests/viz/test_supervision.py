"""What supervision gets is what was tracked; and what is said where it is not installed."""

import sys

import numpy as np
import pytest
import torch

from qivis.errors import DataError
from qivis.structures import TrackedDetections
from qivis.viz.supervision import to_supervision

NAMES = ("person", "animal", "vehicle")


def tracked(number: int) -> TrackedDetections:
    generator = torch.Generator().manual_seed(0)
    corners = torch.tensor([[-3.0, 1, 5, 6], [2, 2, 12, 9.5]])[:number]
    return TrackedDetections(
        size=(8, 10),
        boxes=corners,
        labels=torch.tensor([2, 0])[:number],
        scores=torch.tensor([0.75, 0.5])[:number],
        masks=torch.rand(number, 8, 10, generator=generator) > 0.5,
        embeddings=torch.zeros(number, 4),
        track_ids=torch.tensor([7, 0])[:number],
        likeness=torch.ones(number),
    )


@pytest.mark.parametrize("number", [2, 0])
def test_supervision_has_the_same_objects(number: int) -> None:
    supervision = pytest.importorskip("supervision")
    objects = tracked(number)
    found = to_supervision(objects, NAMES)
    assert isinstance(found, supervision.Detections)
    assert len(found) == number
    assert found.xyxy.tolist() == [[0, 1, 5, 6], [2, 2, 10, 8]][:number]
    assert np.array_equal(found.mask, objects.masks.numpy())
    assert found.confidence.tolist() == [0.75, 0.5][:number]
    assert found.class_id.tolist() == [2, 0][:number]
    assert found.tracker_id.tolist() == [7, 0][:number]
    assert found.data["class_name"].tolist() == ["vehicle", "person"][:number]


def test_without_names_there_are_none() -> None:
    pytest.importorskip("supervision")
    assert to_supervision(tracked(2)).data == {}


def test_an_annotator_of_supervision_draws_the_masks() -> None:
    supervision = pytest.importorskip("supervision")
    objects = tracked(2)
    black = np.zeros((8, 10, 3), np.uint8)
    drawn = supervision.MaskAnnotator().annotate(black.copy(), to_supervision(objects, NAMES))
    assert np.array_equal((drawn != 0).any(axis=2), objects.masks.any(dim=0).numpy())


def test_where_supervision_is_missing_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(DataError, match=r"pip install 'qivis\[supervision\]'"):
        to_supervision(tracked(1))
