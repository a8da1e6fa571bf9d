import io

import numpy as np
import pytest
import torch

from qivis.config.schema import TrackingConfig
from qivis.structures import Detections
from qivis.tracking import build_tracker
from qivis.tracking.state import TrackerState, from_arrays, to_arrays

SIZE = (60, 80)


def moving(index):
    """Two objects with noisy looks that pass each other."""
    generator = torch.Generator().manual_seed(index)
    boxes = torch.tensor(
        [[2.0 + 3 * index, 10, 22 + 3 * index, 30], [60.0 - 3 * index, 12, 78, 40]]
    )
    masks = torch.zeros(2, *SIZE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = True
    return Detections(
        size=SIZE,
        boxes=boxes,
        labels=torch.tensor([0, index % 2]),
        scores=torch.rand(2, generator=generator) * 0.5 + 0.4,
        masks=masks,
        embeddings=torch.randn(2, 8, generator=generator),
    )


def through_a_file(state):
    file = io.BytesIO()
    np.savez(file, **to_arrays(state))
    file.seek(0)
    return from_arrays(np.load(file, allow_pickle=False))


@pytest.mark.parametrize("association", ["query", "overlap"])
def test_a_tracker_that_goes_on_from_a_file_names_objects_as_one_that_never_stopped(association):
    config = TrackingConfig(association=association)
    steady, stopped = build_tracker(config), build_tracker(config)
    for index in range(12):
        expected = steady.update(moving(index))
        named = stopped.update(moving(index))
        assert torch.equal(named.track_ids, expected.track_ids)
        assert torch.equal(named.likeness, expected.likeness)
        assert torch.equal(named.labels, expected.labels)
        stopped = build_tracker(config, through_a_file(stopped.state))


def test_before_the_first_frame_there_is_no_memory():
    assert through_a_file(TrackerState()) == TrackerState(None, 0)
