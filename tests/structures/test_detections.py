"""What is seen has one row for everything, what is tracked has an id for each row."""

import pytest
import torch

from qivis.structures import Detections, TrackedDetections

ROWS = {
    "boxes": torch.zeros(2, 4),
    "labels": torch.zeros(2, dtype=torch.int64),
    "scores": torch.zeros(2),
    "masks": torch.zeros(2, 5, 7, dtype=torch.bool),
    "embeddings": torch.zeros(2, 3),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected shape .* with n = "):
        Detections(size=(5, 7), **(ROWS | {name: ROWS[name][:1]}))


def test_an_id_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"track_ids: .* n = 2"):
        TrackedDetections(
            size=(5, 7), **ROWS, track_ids=torch.zeros(3, dtype=torch.int64), likeness=torch.ones(2)
        )


def test_ids_stay_with_their_rows() -> None:
    ids = {"track_ids": torch.tensor([4, 9]), "likeness": torch.ones(2)}
    tracked = TrackedDetections(size=(5, 7), **ROWS, **ids)
    assert tracked[[1]].track_ids.tolist() == [9]
    assert isinstance(tracked, Detections)
