"""Videos put behind one another, with the sound of the clip that they were made from."""

import heapq
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from qivis.errors import DataError
from qivis.ffmpeg import UNDECODED, name_of
from qivis.files import atomic_path
from qivis.viz.writer import Clock

PLAYABLE = frozenset({"aac", "mp3"})  # sound that every browser plays from an mp4
SOUND_CODEC = "aac"  # what all other sound becomes

Heard = TypeVar("Heard", "Packet[AudioStream]", AudioFrame)

log = logging.getLogger(__name__)


class TimedPacket(NamedTuple):
    """What is written next is what comes first."""

    seconds: float
    is_sound: bool
    packet: "Packet[VideoStream] | Packet[AudioStream]"


def join_videos(
    parts: Sequence[Path], times: Sequence[float], path: Path, fps: Fraction, clip: Path | None
) -> None:
    """Write parts that `VideoWriter` made as one video, without encoding them again.

    Args:
        parts: in their order, at least one, of one size.
        times: of all frames of all parts, seconds, ascending.
        path: of the mp4; appears as a whole.
        fps: frames a second on average.
        clip: has the sound; None for none. Sound that cannot be read is left out with a warning.

    Raises:
        DataError: if nothing can be written there.
    """
    try:
        _join(parts, times, path, fps, clip)
    except (av.FFmpegError, OSError) as error:
        if clip is None:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{path}: cannot be written ({reason})") from error
        log.warning("%s: its sound cannot be taken over (%s)", clip, error)
        join_videos(parts, times, path, fps, None)


def _join(
    parts: Sequence[Path], times: Sequence[float], path: Path, fps: Fraction, clip: Path | None
) -> None:
    options = {"movflags": "faststart"}
    with ExitStack() as stack:
        partial = stack.enter_context(atomic_path(path))
        target = stack.enter_context(av.open(name_of(partial), "w", format="mp4", options=options))
        with av.open(name_of(parts[0]), options=UNDECODED) as first:
            stream = target.add_stream_from_template(first.streams.video[0])
        packets = [_pictures(parts, times, Clock(fps), stream)]
        if clip is not None:
            source = stack.enter_context(
                av.open(name_of(clip), options=UNDECODED, metadata_errors="ignore")
            )
            if source.streams.audio:
                until = times[-1] - times[0] + 1 / fps
                packets.append(_sound(source, target, times[0], until))
        for timed in heapq.merge(*packets, key=lambda timed: timed.seconds):
            target.mux(timed.packet)


def _pictures(
    parts: Sequence[Path], times: Sequence[float], clock: Clock, stream: VideoStream
) -> Iterator[TimedPacket]:
    """The packets of all parts, at the frames' times: there is one for each frame, in order."""
    ticks = iter([clock.next_tick(seconds) for seconds in times])
    for part in parts:
        with av.open(name_of(part), options=UNDECODED) as container:
            for packet in container.demux(video=0):
                if not packet.size:
                    continue
                packet.stream = stream
                packet.pts = packet.dts = next(ticks)
                packet.duration = clock.ticks_per_frame
                packet.time_base = clock.time_base
                yield TimedPacket(float(packet.pts * clock.time_base), False, packet)


def _sound(
    source: InputContainer, target: OutputContainer, first: float, until: float
) -> Iterator[TimedPacket]:
    """The clip's sound, copied where players take it as it is.

    Args:
        source: the clip.
        target: the video that it becomes the sound of.
        first: time of the first picture that is there, seconds; those before it may be lost.
        until: as far as the sound is wanted, seconds from there.
    """
    heard = source.streams.audio[0]
    begin = _start_of_pictures(source) + first
    if heard.codec_context.name in PLAYABLE:
        return _copied(source, target.add_stream_from_template(heard), begin, until)
    written = target.add_stream(SOUND_CODEC, rate=heard.rate)
    assert isinstance(written, AudioStream)
    return _encoded(source, written, begin, until)


def _start_of_pictures(source: InputContainer) -> float:
    seen = source.streams.video[0] if source.streams.video else None
    if seen is None or seen.start_time is None or seen.time_base is None:
        return 0.0
    return float(seen.start_time * seen.time_base)


def _copied(
    source: InputContainer, written: AudioStream, begin: float, until: float
) -> Iterator[TimedPacket]:
    for seconds, ticks, packet in _heard(source.demux(audio=0), begin, until):
        packet.stream = written
        packet.pts = packet.dts = ticks
        yield TimedPacket(seconds, True, packet)


def _encoded(
    source: InputContainer, written: AudioStream, begin: float, until: float
) -> Iterator[TimedPacket]:
    for seconds, ticks, frame in _heard(source.decode(audio=0), begin, until):
        frame.pts = ticks
        for packet in written.encode(frame):
            yield TimedPacket(seconds, True, packet)
    for packet in written.encode(None):
        yield TimedPacket(until, True, packet)


def _heard(
    items: Iterable[Heard], begin: float, until: float
) -> Iterator[tuple[float, int, Heard]]:
    """What is heard with the pictures, each with its time from their start on, also in ticks."""
    for item in items:
        if item.pts is None or item.time_base is None:
            continue
        seconds = float(item.pts * item.time_base) - begin
        if seconds > until:
            return
        if seconds >= 0:
            yield seconds, round(seconds / item.time_base), item
