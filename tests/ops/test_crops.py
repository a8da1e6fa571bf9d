"""Run lengths of parts of masks, against ones that are counted pixel by pixel."""

from itertools import groupby

import numpy as np
import pytest
import torch

from qivis.ops.crops import Crop, find_crops, runs_of


def counted(mask: torch.Tensor) -> list[int]:
    """Run lengths of an (H, W) mask, one pixel after the other."""
    lengths, expected = [], False
    for value, run in groupby(mask.T.flatten().tolist()):
        lengths += [0] if value != expected else []
        lengths.append(len(list(run)))
        expected = not value
    return lengths


def runs_of_masks(masks: torch.Tensor) -> list[list[int]]:
    runs = runs_of(find_crops(masks), (masks.shape[1], masks.shape[2]))
    return [part.tolist() for part in np.split(runs.lengths, np.cumsum(runs.counts))[:-1]]


def test_a_crop_is_where_the_object_is() -> None:
    mask = torch.zeros(6, 9, dtype=torch.bool)
    mask[2, 3] = mask[4, 5] = True
    (crop,) = find_crops(mask[None])
    assert (crop.top, crop.left) == (2, 3)
    assert crop.pixels.tolist() == mask[2:5, 3:6].tolist()


def test_a_mask_without_a_pixel_is_one_run_and_has_a_crop_of_none() -> None:
    masks = torch.zeros(2, 6, 9, dtype=torch.bool)
    assert [crop.pixels.size for crop in find_crops(masks)] == [0, 0]
    assert runs_of_masks(masks) == [[54], [54]]


@pytest.mark.parametrize(
    ("crop", "lengths"),
    [
        (Crop(1, 1, np.ones((2, 1), dtype=bool)), [5, 2, 5]),
        (Crop(0, 0, np.ones((1, 1), dtype=bool)), [0, 1, 11]),
        (Crop(3, 2, np.ones((1, 1), dtype=bool)), [11, 1]),
        (Crop(0, 0, np.ones((4, 3), dtype=bool)), [0, 12]),
        (Crop(0, 1, np.ones((4, 1), dtype=bool)), [4, 4, 4]),
        (Crop(2, 0, np.ones((2, 2), dtype=bool)), [2, 2, 2, 2, 4]),
        (Crop(0, 0, np.array([[0, 1], [0, 1], [1, 0], [1, 0]], dtype=bool)), [2, 4, 6]),
        (Crop(1, 1, np.zeros((2, 2), dtype=bool)), [12]),
        (Crop(2, 2, np.zeros((0, 1), dtype=bool)), [12]),
    ],
    ids=[
        "inside",
        "first pixel",
        "last pixel",
        "whole picture",
        "whole column",
        "at the foot",
        "from foot to head",
        "nothing set",
        "no pixel",
    ],
)
def test_runs_go_down_the_columns_of_a_picture_of_4_by_3(crop: Crop, lengths: list[int]) -> None:
    # Twice, so that what one mask does at its end shows in the next.
    runs = runs_of([crop, crop], (4, 3))
    assert runs.lengths.tolist() == lengths * 2
    assert runs.counts.tolist() == [len(lengths)] * 2


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_runs_of_random_masks_are_those_that_are_counted(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for size in ((1, 1), (1, 7), (7, 1), (5, 6), (13, 11)):
        masks = torch.rand(20, *size, generator=generator) < share
        assert runs_of_masks(masks) == [counted(mask) for mask in masks]


def test_no_masks_have_no_runs() -> None:
    runs = runs_of([], (4, 3))
    assert (runs.lengths.tolist(), runs.counts.tolist()) == ([], [])
