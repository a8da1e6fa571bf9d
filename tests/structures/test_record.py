"""Rows of a record are chosen, counted and moved together."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from qivis.structures import Detections, Record


@pytest.fixture
def detections() -> Detections:
    return Detections(
        size=(4, 6),
        boxes=torch.arange(12.0).view(3, 4),
        labels=torch.tensor([2, 0, 1]),
        scores=torch.tensor([0.9, 0.5, 0.1]),
        masks=torch.eye(3, dtype=torch.bool)[:, :, None].expand(3, 3, 6),
        embeddings=torch.arange(3.0)[:, None],
    )


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        (torch.tensor([True, False, True]), [2, 1]),
        (torch.tensor([2, 0, 0]), [1, 2, 2]),
        (slice(1, None), [0, 1]),
        ([1], [0]),
        (torch.zeros(3, dtype=torch.bool), []),
    ],
    ids=["mask", "indices", "slice", "list", "none"],
)
def test_all_fields_are_indexed_together(
    detections: Detections, rows: torch.Tensor | slice | list[int], labels: list[int]
) -> None:
    chosen = detections[rows]
    assert (len(chosen), chosen.labels.tolist(), chosen.size) == (len(labels), labels, (4, 6))
    assert torch.equal(chosen.boxes, detections.boxes[rows])
    assert torch.equal(chosen.masks, detections.masks[rows])
    assert isinstance(chosen, Detections)


def test_a_record_counts_its_rows(detections: Detections) -> None:
    assert len(detections) == 3
    assert len(detections[:0]) == 0


def test_the_chosen_rows_remain_and_where_all_are_chosen_nothing_is_copied(
    detections: Detections,
) -> None:
    chosen = torch.tensor([True, False, True])
    assert detections.only(chosen).labels.tolist() == [2, 1]
    assert len(detections.only(chosen & False)) == 0
    assert detections.only(chosen | True) is detections


def test_all_fields_move_together(detections: Detections) -> None:
    moved = detections.to("meta")
    assert {t.device.type for t in (moved.boxes, moved.labels, moved.masks)} == {"meta"}
    assert (type(moved), moved.size) == (Detections, (4, 6))


def test_a_record_does_not_change(detections: Detections) -> None:
    with pytest.raises(FrozenInstanceError):
        detections.size = (1, 1)  # type: ignore[misc]


def test_every_stage_is_a_record() -> None:
    assert issubclass(Detections, Record)
