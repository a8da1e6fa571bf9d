"""What is read from the video of a page: exact times, and cut-outs of the right pictures."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from qivis.errors import DataError
from qivis.viz.review.footage import SHADE, SIDE, read_footage
from tests.review_clips import BITS, SIZE, seen, write_video


def pixels(jpeg: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(BytesIO(jpeg)).convert("L")).astype(int)


def test_times_are_those_of_the_file(tmp_path: Path) -> None:
    times = [0, 0.1, 0.15, 0.9, 1.0]
    footage = read_footage(write_video(tmp_path / "a.mp4", range(5), times), {})
    assert footage.times == pytest.approx(times, abs=1e-4)
    assert footage.thumbnails == {}


def test_a_thumbnail_shows_its_picture_and_shades_what_is_not_the_object(tmp_path: Path) -> None:
    stripe = -(-SIZE[1] // BITS)
    video = write_video(tmp_path / "a.mp4", range(8))
    # The right half of a white stripe: the fourth bit of 8 is not there, the third of 4 is.
    box = (int(2.5 * stripe), 40, 3 * stripe, 40 + stripe // 2)
    objects = {"white": (4, seen(box).mask), "black": (3, seen(box).mask)}
    thumbnails = read_footage(video, objects).thumbnails
    white, black = pixels(thumbnails["white"]), pixels(thumbnails["black"])
    assert white.shape == (SIDE, SIDE)
    middle, beside = np.s_[40:56, 40:56], np.s_[40:56, 2:8]
    assert white[middle].min() > 235
    assert white[beside].mean() == pytest.approx(255 * SHADE, abs=12)
    assert black[middle].max() < 20


def test_masks_may_be_larger_than_the_pictures(tmp_path: Path) -> None:
    mask = {"size": [4 * SIZE[0], 4 * SIZE[1]], "counts": seen((0, 0, 1, 1)).mask["counts"]}
    video = write_video(tmp_path / "a.mp4", [1])
    (thumbnail,) = read_footage(video, {"a": (0, mask)}).thumbnails.values()
    assert pixels(thumbnail)[SIDE // 2, SIDE // 2] > 235


@pytest.mark.parametrize("content", [None, b"", b"nonsense"], ids=["missing", "empty", "no video"])
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp4: cannot be read as the video of a review page"):
        read_footage(path, {})
