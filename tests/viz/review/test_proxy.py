"""The small video: its size, and pictures that do not flicker."""

from pathlib import Path

import numpy as np
import pytest
import torch

from qivis.structures import Frame
from qivis.viz.review.footage import read_footage
from qivis.viz.review.proxy import proxy_size, shrink, write_proxy
from tests.review_clips import clip, striped


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


def test_the_video_has_the_frames_of_the_clip_at_their_times(tmp_path: Path) -> None:
    # Number 5 can be decoded now, but could not when the clip was made; it has ended at 30.
    frames = (
        Frame(torch.from_numpy(striped(index)).permute(2, 0, 1), index, index / 7)
        for index in range(33)
    )
    write_proxy(frames, clip(lost=[5]), tmp_path / "proxy.mp4")
    times = read_footage(tmp_path / "proxy.mp4", {}).times
    assert times == pytest.approx([index / 10 for index in range(30) if index != 5], abs=1e-4)
