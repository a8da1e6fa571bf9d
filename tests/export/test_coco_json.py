"""Detections as COCO results."""

import pytest
import torch

from qivis.export.coco_json import to_results
from qivis.ops import rle
from qivis.structures import Categories, Category, Detections

CATEGORIES = Categories((Category(3, "cat"), Category(7, "dog")))


def detections_of(boxes: list[list[float]], labels: list[int]) -> Detections:
    masks = torch.zeros(len(boxes), 10, 20, dtype=torch.bool)
    masks[:, 2:4, 5:8] = True
    return Detections(
        size=(10, 20),
        boxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        scores=torch.full((len(boxes),), 0.25),
        masks=masks,
        embeddings=torch.zeros(len(boxes), 3),
    )


def test_every_detection_is_an_entry_with_the_ids_of_the_data_set() -> None:
    entries = to_results(42, detections_of([[5, 2, 8, 4], [0, 0, 20, 10]], [1, 0]), CATEGORIES)
    assert [entry["category_id"] for entry in entries] == [7, 3]
    assert [entry["bbox"] for entry in entries] == [[5, 2, 3, 2], [0, 0, 20, 10]]
    assert {entry["image_id"] for entry in entries} == {42}
    assert {entry["score"] for entry in entries} == {0.25}


def test_boxes_end_at_the_borders_of_the_picture() -> None:
    (entry,) = to_results(1, detections_of([[-3, -4, 25, 8]], [0]), CATEGORIES)
    assert entry["bbox"] == [0, 0, 20, 8]


def test_masks_are_run_lengths_that_json_can_hold() -> None:
    detections = detections_of([[5, 2, 8, 4]], [0])
    (entry,) = to_results(1, detections, CATEGORIES)
    assert isinstance(entry["segmentation"]["counts"], str)
    assert torch.equal(rle.decode([entry["segmentation"]], (10, 20)), detections.masks)
    assert rle.area(entry["segmentation"]) == pytest.approx(6)


def test_no_detections_are_no_entries() -> None:
    assert to_results(1, detections_of([], []), CATEGORIES) == []
