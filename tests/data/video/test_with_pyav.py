"""PyAV: what it finds out about a file, and how patient it is with damage."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import pytest

from qivis.data.video.container import open_container, video_stream
from qivis.data.video.source import DecoderStoppedError, Limits
from qivis.data.video.with_pyav import PyavDecoder, probe

from .conftest import FPS, SIZE, MakeClip, NumberOf


@contextmanager
def decoder_of(path: Path, *, is_patient: bool) -> Iterator[PyavDecoder]:
    with open_container(path) as container:
        yield PyavDecoder(container, video_stream(container, path, Limits()), is_patient=is_patient)


def num_frames(path: Path, *, is_patient: bool) -> int:
    with decoder_of(path, is_patient=is_patient) as decoder:
        return len(list(decoder.frames()))


def test_a_probe_tells_the_upright_size(make_clip: MakeClip) -> None:
    found = probe(make_clip("clip.mov", num_frames=5, turn=(90, False)), Limits())
    assert found.info.size == (SIZE[1], SIZE[0])
    assert (found.info.num_frames, found.info.fps) == (5, Fraction(FPS))
    assert not found.is_mirrored
    assert (found.pixel_format, found.stored_height) == ("yuv420p", SIZE[0])


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_probe_tells_whether_pictures_are_mirrored(make_clip: MakeClip, degrees: int) -> None:
    path = make_clip("clip.mov", num_frames=2, turn=(degrees, True))
    assert probe(path, Limits()).is_mirrored


def test_damage_stops_the_impatient_and_is_skipped_by_the_patient(
    damaged_clip: MakeClip, number_of: NumberOf
) -> None:
    path = damaged_clip(20, 21, 30)
    shown = list[int]()
    with (
        decoder_of(path, is_patient=False) as decoder,
        pytest.raises(DecoderStoppedError, match="Invalid data"),
    ):
        shown.extend(number_of(frame.image) for frame in decoder.frames())
    assert shown == list(range(len(shown)))
    assert len(shown) <= 20
    with decoder_of(path, is_patient=True) as decoder:
        shown = [number_of(frame.image) for frame in decoder.frames()]
        assert shown == [i for i in range(40) if i not in {20, 21, 30}]
        assert decoder.lost == [20, 21, 30]
        assert decoder.last_error == "Invalid data found when processing input"


def test_a_hole_in_a_stream_stops_the_impatient(make_clip: MakeClip, number_of: NumberOf) -> None:
    path = make_clip("clip.ts", options={"x264-params": "keyint=8:scenecut=0"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 376 * 188  # transport streams are made of packets of 188 bytes
    content[middle : middle + 10 * 188] = bytes(10 * 188)
    path.write_bytes(content)
    with (
        decoder_of(path, is_patient=False) as decoder,
        pytest.raises(DecoderStoppedError, match="a packet is damaged"),
    ):
        list(decoder.frames())
    with decoder_of(path, is_patient=True) as decoder:
        shown = [number_of(frame.image) for frame in decoder.frames()]
    assert shown[:10] == list(range(10))
    assert shown[-8:] == list(range(32, 40))


def test_a_broken_last_packet_is_not_passed_over_in_silence(
    damaged_clip: MakeClip,
) -> None:
    path = damaged_clip(39)
    with pytest.raises(DecoderStoppedError):
        num_frames(path, is_patient=False)
    assert num_frames(path, is_patient=True) == 39


def test_a_packet_that_is_not_to_be_seen_is_no_loss_for_the_patient(
    make_clip: MakeClip, number_of: NumberOf
) -> None:
    path = make_clip("clip.webm", codec="libvpx", options={"cpu-used": "8"})
    with open_container(path) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    # VP8's flag to show a frame, in that of a frame on which the next ones depend.
    hidden = bytes([packets[10][0] & ~0x10]) + packets[10][1:]
    path.write_bytes(path.read_bytes().replace(packets[10], hidden))
    indices = list[int]()
    with (
        decoder_of(path, is_patient=False) as decoder,
        pytest.raises(DecoderStoppedError, match="some packets gave no picture"),
    ):
        indices.extend(frame.index for frame in decoder.frames())
    assert indices == list(range(10))
    with decoder_of(path, is_patient=True) as decoder:
        frames = list(decoder.frames())
    assert [number_of(frame.image) for frame in frames] == [i for i in range(40) if i != 10]
    assert [frame.index for frame in frames] == list(range(39))
    assert frames[10].seconds == pytest.approx(11 / FPS)
    assert decoder.lost == []


def test_whoever_does_not_complain_has_given_all(make_clip: MakeClip) -> None:
    # What threads are still decoding when an incomplete last packet fails gets lost silently.
    path = make_clip("clip.flv")
    content = path.read_bytes()
    complete = []
    for percent in (50, 60, 70, 80, 90):
        path.write_bytes(content[: percent * len(content) // 100])
        patient = num_frames(path, is_patient=True)
        with suppress(DecoderStoppedError):
            complete.append(num_frames(path, is_patient=False) == patient > 0)
    assert complete
    assert all(complete)
