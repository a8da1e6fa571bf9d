"""What annotations say: one row an object."""

import pytest
import torch

from qivis.structures import Targets


def test_an_image_without_objects_is_an_ordinary_record() -> None:
    empty = Targets.empty((5, 7))
    assert (len(empty), empty.boxes.shape, empty.masks.shape) == (0, (0, 4), (0, 5, 7))
    assert (empty.labels.dtype, empty.ids.dtype) == (torch.int64, torch.int64)
    assert (empty.boxes.dtype, empty.masks.dtype) == (torch.float32, torch.bool)


def test_fields_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ids: expected shape \(n\) with n = 1, got \(2,\)"):
        Targets(
            size=(5, 7),
            boxes=torch.zeros(1, 4),
            labels=torch.zeros(1, dtype=torch.int64),
            masks=torch.zeros(1, 5, 7, dtype=torch.bool),
            ids=torch.zeros(2, dtype=torch.int64),
        )
