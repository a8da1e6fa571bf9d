"""What a container says, and what is refused before a picture is decoded."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from qivis.data.video.container import (
    claimed_seconds,
    cut_off,
    has_times,
    open_container,
    rate_of,
    video_stream,
)
from qivis.data.video.source import Limits
from qivis.errors import VideoError

from .conftest import FPS, SIZE, MakeClip


def test_a_header_tells_rate_and_length(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4")
    with open_container(path) as container:
        stream = video_stream(container, path, Limits())
        assert rate_of(stream) == Fraction(FPS)
        assert claimed_seconds(container, stream) == pytest.approx(40 / FPS)


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [("clip.mp4", "libx264", True), ("clip.avi", "mpeg4", True), ("clip.avi", "libx264", False)],
    ids=["mp4", "mpeg4 in avi", "h264 in avi"],
)
def test_packets_have_times_but_for_some_in_avi(
    make_clip: MakeClip, name: str, codec: str, expected: bool
) -> None:
    path = make_clip(name, num_frames=4, codec=codec)
    with open_container(path) as container:
        assert has_times(container, container.streams.video[0]) == expected


def test_an_index_tells_what_is_cut_off(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", codec="mjpeg", pix_fmt="yuvj420p", mux={"movflags": "faststart"})
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
        assert cut_off(container, container.streams.video[0]) == 0
    # The frame that is cut in two is not wholly beyond the end.
    path.write_bytes(path.read_bytes()[: positions[30] + 5])
    with av.open(str(path)) as container:
        assert cut_off(container, container.streams.video[0]) == 9


def test_large_pictures_are_refused_by_what_the_header_says(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", num_frames=1)
    with open_container(path) as container:
        assert video_stream(container, path, Limits(SIZE[0] * SIZE[1])).width == SIZE[1]
        with pytest.raises(VideoError, match="96 x 64 pixels, but at most 100 pixels are allowed"):
            video_stream(container, path, Limits(max_pixels=100))


def test_what_is_no_container_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError, match=r"clip\.mp4: not a video that can be read \(Invalid data"):
        open_container(path)
