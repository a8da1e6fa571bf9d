"""What packets say of a file's frames, and which files are not to be read by seeking."""

from typing import Any

import av
import pytest

from qivis.data.video.packet_table import read_packet_table
from qivis.data.video.source import DecoderStoppedError

from .conftest import FPS, MakeClip


def test_the_packets_tell_times_and_key_frames(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", options={"x264-params": "keyint=15:min-keyint=15:scenecut=0"})
    table = read_packet_table(path)
    assert table.seconds == pytest.approx([i / FPS for i in range(40)])
    assert list(table.keys) == [0, 15, 30]


def test_the_first_frame_is_at_zero_seconds(make_clip: MakeClip) -> None:
    def begin_late(packet: Any) -> None:
        packet.pts, packet.dts = packet.pts + 50, packet.dts + 50

    table = read_packet_table(make_clip("clip.mkv", edit=begin_late))
    assert table.seconds[:2] == pytest.approx([0, 1 / FPS])


def cut_off_ten(packet: Any) -> None:
    packet.pts, packet.dts = packet.pts - 10, packet.dts - 10


OPEN_GOP = {"x265-params": "open-gop=1:keyint=12:bframes=4:b-adapt=0:log-level=none"}


@pytest.mark.parametrize(
    ("name", "how", "reason"),
    [
        ("clip.ts", {}, "a container of the kind mpegts"),
        ("clip.mp4", {"edit": cut_off_ten}, "not to be shown"),
        ("clip.mkv", {"codec": "libx265", "options": OPEN_GOP}, "precede their key frame"),
        ("clip.avi", {}, "does not say when frames are shown"),
        ("clip.webm", {"codec": "libvpx", "options": {"cpu-used": "8"}}, "can hide packets"),
    ],
    ids=["transport stream", "edit list", "open groups", "h264 in avi", "vp8"],
)
def test_what_seeking_gets_wrong_is_refused(
    make_clip: MakeClip, name: str, how: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DecoderStoppedError, match=reason):
        read_packet_table(make_clip(name, **how))


def test_a_file_that_is_cut_off_is_refused(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", codec="mjpeg", pix_fmt="yuvj420p", mux={"movflags": "faststart"})
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: positions[25]])
    with pytest.raises(DecoderStoppedError, match="ends too early"):
        read_packet_table(path)


def test_decoding_begins_at_the_key_frame_before(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", options={"x264-params": "keyint=15:min-keyint=15:scenecut=0"})
    table = read_packet_table(path)
    assert [table.key_before(index) for index in (0, 14, 15, 39)] == [0, 0, 15, 30]
