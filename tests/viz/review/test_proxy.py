"""The small video: its size, and pictures that do not flicker."""

import numpy as np
import pytest
import torch

from qivis.viz.review.proxy import proxy_size, shrink


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1080, 1920), (360, 640)),
        ((1920, 1080), (640, 360)),
        ((360, 640), (360, 640)),
        ((33, 51), (32, 52)),  # even, not enlarged by more than that
        ((1, 1), (2, 2)),
        ((2, 4000), (2, 640)),
    ],
    ids=str,
)
def test_sizes_are_even_and_keep_the_shape(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert proxy_size(size) == expected


def test_pictures_of_one_colour_keep_it() -> None:
    image = torch.tensor([10, 20, 30], dtype=torch.uint8)[:, None, None].expand(3, 90, 120)
    small = shrink(image, (30, 40))
    assert small.shape == (30, 40, 3)
    assert small.dtype == np.uint8
    assert (small == [10, 20, 30]).all()


def test_fine_patterns_become_grey() -> None:
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    image[:, :, ::2] = 255
    assert np.abs(shrink(image, (16, 16)).astype(int) - 127).max() < 20
