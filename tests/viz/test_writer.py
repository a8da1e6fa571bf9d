"""The overlay video: what players and browsers need, and all or nothing under its name."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.viz.writer import VideoWriter

SIZE = (48, 64)


def flat(value: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.full((*size, 3), value, dtype=np.uint8)


def write(path: Path, fps: Fraction, size: tuple[int, int] = SIZE, num_frames: int = 12) -> None:
    with VideoWriter(path, size, fps) as writer:
        for index in range(num_frames):
            writer.write(flat(20 * index, size), float(index / fps))


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(750000, 71393)])
def test_what_was_written_can_be_read(tmp_path: Path, fps: Fraction) -> None:
    path = tmp_path / "new" / "overlay.mp4"
    write(path, fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
        assert stream.frames == 12
        assert stream.average_rate == fps
        frames = list(container.decode(stream))
    assert [frame.time for frame in frames] == pytest.approx([float(i / fps) for i in range(12)])
    means = [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]
    assert means == pytest.approx([20 * i for i in range(12)], abs=3)


def test_the_encoder_is_set_so_that_a_file_can_be_made_again(tmp_path: Path) -> None:
    write(tmp_path / "overlay.mp4", Fraction(25))
    # x264 writes its settings down; with its macroblock tree it is not repeatable.
    settings = (tmp_path / "overlay.mp4").read_bytes()
    assert b"x264" in settings
    assert b"mbtree=0" in settings


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.0400001, 0.3, 0.31, 1.7]
    with VideoWriter(tmp_path / "overlay.mp4", SIZE, Fraction(750000, 71393)) as writer:
        for index, seconds in enumerate(times):
            writer.write(flat(20 * index), seconds)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=2e-5)
    means = [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]
    assert means == pytest.approx([20 * i for i in range(6)], abs=3)


def test_a_video_begins_with_its_first_frame(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "overlay.mp4", SIZE, Fraction(25)) as writer:
        writer.write(flat(0), 5.0)
        writer.write(flat(0), 5.5)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)] == [0.0, 0.5]


def test_the_index_comes_before_the_pictures(tmp_path: Path) -> None:
    write(tmp_path / "overlay.mp4", Fraction(25))
    content = (tmp_path / "overlay.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("size", [(33, 47), (48, 47), (1, 1)], ids=str)
def test_odd_sizes_grow_to_even_ones(tmp_path: Path, size: tuple[int, int]) -> None:
    write(tmp_path / "overlay.mp4", Fraction(25), size)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        first = next(container.decode(video=0))
    assert (first.height, first.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_colours_survive(tmp_path: Path) -> None:
    colors = np.array([[200, 40, 40], [40, 180, 60], [60, 80, 220], [230, 200, 40]], np.uint8)
    picture = colors.repeat(16, axis=0)[None].repeat(48, axis=0)  # (48, 64, 3), four stripes
    with VideoWriter(tmp_path / "overlay.mp4", SIZE, Fraction(25)) as writer:
        writer.write(picture, 0.0)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, limited range
    shown = frame.to_ndarray(format="rgb24")[24, 8::16]
    assert shown.astype(int) == pytest.approx(colors.astype(int), abs=6)


def test_colour_of_half_the_resolution_is_the_mean_of_two_by_two_pixels(tmp_path: Path) -> None:
    red, blue = 128, 255
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32:2, :, 0] = red  # every other line, for a single one may not stand for both
    picture[32:, :, 2] = blue  # begins where no block of four reaches over
    with VideoWriter(tmp_path / "overlay.mp4", (64, 64), Fraction(25)) as writer:
        writer.write(picture, 0.0)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        planes = next(container.decode(video=0)).to_ndarray()
    to_blue, to_red = planes[64:80].reshape(32, 32), planes[80:].reshape(32, 32)
    # BT.709: a colour's share of the light is its weight; the difference from it, in 224 levels.
    means = np.array([[red / 2, 0], [0, blue]]) / 255
    light = means @ [0.2126, 0.0722]
    expected = 128 + 224 * (means[:, ::-1].T - light) / np.array([[1.8556], [1.5748]])
    for plane, levels in zip((to_blue, to_red), expected, strict=True):
        assert plane[:16].astype(int) == pytest.approx(np.full((16, 32), levels[0]), abs=2)
        assert plane[16:].astype(int) == pytest.approx(np.full((16, 32), levels[1]), abs=2)


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def write_one_and_fail() -> None:
        with VideoWriter(tmp_path / "overlay.mp4", SIZE, Fraction(25)) as writer:
            writer.write(flat(0), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_one_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_earlier_video(tmp_path: Path) -> None:
    path = tmp_path / "overlay.mp4"
    write(path, Fraction(25))
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), VideoWriter(path, SIZE, Fraction(25)) as writer:
        writer.write(flat(1 // 0), 0.0)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_stands_under_the_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "overlay.mp4"
    with VideoWriter(path, SIZE, Fraction(25)) as writer:
        writer.write(flat(0), 0.0)
        assert not path.exists()
    assert path.exists()


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not one frame was given"):
        write(tmp_path / "overlay.mp4", Fraction(25), num_frames=0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "overlay.mp4"
    with pytest.raises(DataError, match=r"overlay\.mp4: cannot be written \("):
        write(path, Fraction(25))
