"""Picture files as a video."""

import logging
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from qivis.data.video.pictures import PictureSequence
from qivis.data.video.source import VideoInfo
from qivis.errors import VideoError

from .conftest import SIZE, NumberOf, paint


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{index}.png" for index in range(5)]
    for index, path in enumerate(found):
        Image.fromarray(paint(index)).save(path)
    return found


def test_each_picture_is_a_frame(tmp_path: Path, paths: list[Path], number_of: NumberOf) -> None:
    video = PictureSequence(tmp_path, paths)
    frames = list(video)
    assert video.info == VideoInfo(num_frames=5, size=SIZE, fps=Fraction(10), seconds=0.5)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_an_unreadable_picture_is_left_out_with_a_warning(
    tmp_path: Path, paths: list[Path], number_of: NumberOf, caplog: pytest.LogCaptureFixture
) -> None:
    paths[0].write_bytes(b"")
    paths[3].write_text("no picture")
    video = PictureSequence(tmp_path, paths)
    with caplog.at_level(logging.WARNING):
        frames = list(video)
    assert [number_of(frame.image) for frame in frames] == [1, 2, 4]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert video.frames_lost == 2
    assert [str(paths[0]) in caplog.messages[0], str(paths[3]) in caplog.messages[1]] == [True] * 2


def test_pictures_of_another_size_do_not_belong(tmp_path: Path, paths: list[Path]) -> None:
    Image.new("RGB", (10, 20)).save(paths[2])
    frames = PictureSequence(tmp_path, paths).frames()
    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(VideoError, match=r"2\.png: 10 x 20 pixels, but .* are 96 x 64"):
        next(frames)


def test_a_folder_without_one_good_picture_is_refused(tmp_path: Path, paths: list[Path]) -> None:
    for path in paths:
        path.write_text("no picture")
    with pytest.raises(VideoError, match=r"none of its 5 pictures can be read \(first: .*0\.png"):
        PictureSequence(tmp_path, paths)
