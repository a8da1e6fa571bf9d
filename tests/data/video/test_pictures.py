"""Picture files as a video."""

import logging
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from qivis.data.video.pictures import PictureSequence
from qivis.data.video.source import Limits, VideoInfo
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


def test_an_unreadable_picture_leaves_a_gap_and_a_warning(
    tmp_path: Path, paths: list[Path], number_of: NumberOf, caplog: pytest.LogCaptureFixture
) -> None:
    paths[0].write_bytes(b"")
    paths[3].write_text("no picture")
    video = PictureSequence(tmp_path, paths)
    with caplog.at_level(logging.WARNING):
        frames = list(video)
    assert [number_of(frame.image) for frame in frames] == [1, 2, 4]
    assert [frame.index for frame in frames] == [1, 2, 4]
    assert [frame.seconds for frame in frames] == pytest.approx([0.1, 0.2, 0.4])
    assert video.lost == [0, 3]
    assert [str(paths[0]) in caplog.messages[0], str(paths[3]) in caplog.messages[1]] == [True] * 2
    assert [frame.index for frame in video.frames(3)] == [4]
    assert video.lost == [3]


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(
    tmp_path: Path, paths: list[Path]
) -> None:
    content = bytearray(paths[2].read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") + (50000).to_bytes(4, "big")
    paths[2].write_bytes(content)
    with pytest.raises(VideoError, match=r"2\.png: pictures of 60000 x 50000 pixels, but at most"):
        list(PictureSequence(tmp_path, paths))
    with pytest.raises(VideoError, match=r"0\.png: pictures of 96 x 64 pixels, but at most 9 "):
        PictureSequence(tmp_path, paths, Limits(max_pixels=9))


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
