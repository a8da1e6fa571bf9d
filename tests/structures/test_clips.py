"""Pictures with their annotations on one grid."""

import pytest
import torch

from qivis.structures import Batch, Frame, Sample, Targets
from tests.tiny import noise, rectangles


def test_a_frame_knows_its_size() -> None:
    assert Frame(noise((5, 7)), index=0, seconds=0.0).size == (5, 7)


def test_masks_of_another_size_than_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match=r"masks: .* h = 5"):
        Sample(noise((5, 7)), Targets.empty((6, 7)), torch.zeros(0, 4))


def test_a_batch_moves_with_all_that_it_holds() -> None:
    batch = Batch(
        images=(noise((5, 7)), noise((3, 4))),
        targets=(rectangles((5, 7), [(0, 0, 2, 2)], [1]), Targets.empty((3, 4))),
        ignored=(torch.zeros(1, 4), torch.zeros(0, 4)),
        clip_length=2,
    )
    moved = batch.to("meta")
    tensors = [*moved.images, *moved.ignored, *(targets.masks for targets in moved.targets)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert (moved.clip_length, [t.size for t in moved.targets]) == (2, [(5, 7), (3, 4)])
