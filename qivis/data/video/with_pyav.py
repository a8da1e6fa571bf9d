"""Decoding with PyAV, which opens nearly everything.

Strictly from the beginning to the end, because seeking is where decoders go wrong.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from qivis.data.video.container import (
    claimed_seconds,
    cut_off,
    has_times,
    open_container,
    rate_of,
    reason_of,
    video_stream,
)
from qivis.data.video.numbering import Numbering
from qivis.data.video.source import DecoderStoppedError, Limits, VideoInfo
from qivis.data.video.upright import UPRIGHT, turn_of, upright_image
from qivis.errors import VideoError
from qivis.ffmpeg import UNDECODED
from qivis.structures import Frame
from qivis.wording import counted

THREADS = 4  # more cost memory and bring little
MAX_BROKEN_READS = 100  # in a row; a damaged container can fail for ever without moving on
CAMERA_PAUSE = 0.005  # seconds


@dataclass(frozen=True)
class Probe:
    """What the header and the first picture tell.

    is_upright: whether the pictures are stored as they are to be shown.
    is_mirrored: whether the pictures are to be flipped, not only rotated.
    pixel_format: how they are stored, as FFmpeg calls it.
    stored_height: in pixels, before any rotation.
    """

    info: VideoInfo
    is_upright: bool
    is_mirrored: bool
    pixel_format: str
    stored_height: int


def probe(path: Path, limits: Limits) -> Probe:
    """Look into a video file.

    Raises:
        VideoError: if it is not a video, nothing in it can be decoded, or it is too large.
    """
    with open_container(path, UNDECODED) as container:
        stream = video_stream(container, path, limits)
        picture = next(PyavDecoder(container, stream).pictures(), None)
        if picture is None:
            raise VideoError(f"{path}: not one frame can be decoded; the file is damaged")
        stored = picture.height, picture.width
        limits.check(path, stored)
        turn = a, b, c, d = turn_of(picture)
        size = stored[::-1] if a == 0 else stored
        seconds = claimed_seconds(container, stream)
        info = VideoInfo(stream.frames, size, rate_of(stream), seconds)
    return Probe(
        info,
        is_upright=turn == UPRIGHT,
        is_mirrored=a * d - b * c < 0,
        pixel_format=picture.format.name,
        stored_height=stored[0],
    )


class PyavDecoder:
    """Reads a stream packet after packet; made for one reading.

    container, stream: just opened.
    start: index of the first frame that is wanted.
    is_patient: whether damaged packets are skipped, and named in `lost`; otherwise the first of
        them ends the reading, which is faster because several frames are decoded at once.
    broken_reads: how often in a row the container may fail to give a packet.
    lost: indices of the frames that could not be decoded, from `start` on.
    last_error: what went wrong last.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        start: int = 0,
        *,
        is_patient: bool = True,
        broken_reads: int = MAX_BROKEN_READS,
    ) -> None:
        self.last_error = ""
        self._container = container
        self._stream = stream
        self._start = start
        self._is_patient = is_patient
        self._broken_reads = broken_reads
        self._has_times = has_times(container, stream)
        self._numbering = Numbering(start)
        self._latest = -1.0  # seconds
        self.lost = self._numbering.lost
        stream.thread_type = "SLICE" if is_patient else "AUTO"
        stream.codec_context.thread_count = THREADS

    def frames(self) -> Iterator[Frame]:
        """The frames from index `start` on.

        Raises:
            DecoderStoppedError: if something is damaged and the decoder is not patient.
        """
        first: VideoFrame | None = None
        for picture in self.pictures():
            first = first or picture
            if picture.is_corrupt and not self._is_patient:
                raise DecoderStoppedError("a picture is damaged")
            index = self._numbering.place(self._tick(picture))
            self._insist_on_all()
            seconds = self._seconds(picture, index)
            if index >= self._start:
                yield Frame(upright_image(picture, like=first), index, seconds)
        missing = cut_off(self._container, self._stream)
        if missing and not self._is_patient:
            raise DecoderStoppedError(f"the file ends {counted(missing, 'frame')} too early")
        self._numbering.finish(missing)
        self._insist_on_all()

    def pictures(self) -> Iterator[VideoFrame]:
        """Decoded pictures, in the order in which they are shown."""
        for packet in self._packets():
            tick = self._tick(packet)
            if packet.size > 0 and not packet.is_discard:
                self._numbering.expect(tick)
                self._look_for_damage(packet, tick)
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                self._skip(error)
                if packet.size > 0:
                    self._numbering.fail(tick)
                else:  # the decoder was asked for the rest
                    self._numbering.suspect()

    def _packets(self) -> Iterator["Packet[VideoStream]"]:
        broken_reads = 0
        while broken_reads < self._broken_reads:
            try:
                for packet in self._container.demux(self._stream):
                    broken_reads = 0
                    yield packet
            except BlockingIOError:  # some cameras say so while no picture is ready
                time.sleep(CAMERA_PAUSE)
            except av.FFmpegError as error:
                self._skip(error)
                self._numbering.suspect()
                broken_reads += 1
            else:
                return

    def _look_for_damage(self, packet: "Packet[VideoStream]", tick: int | None) -> None:
        """What several threads make of a damaged packet is not the same every time."""
        if packet.is_corrupt:
            if not self._is_patient:
                raise DecoderStoppedError("a packet is damaged")
            self._numbering.suspect(tick)

    def _skip(self, error: BaseException) -> None:
        if not self._is_patient:
            raise DecoderStoppedError(reason_of(error)) from error
        self.last_error = reason_of(error)

    def _insist_on_all(self) -> None:
        """Decoding several frames at once can lose some to an error without telling."""
        if self._numbering.unseen and not self._is_patient:
            raise DecoderStoppedError("some packets gave no picture")

    def _tick(self, timed: "Packet[VideoStream] | VideoFrame") -> int | None:
        return timed.pts if self._has_times else None

    def _seconds(self, picture: VideoFrame, index: int) -> float:
        """Since index 0; where the stream's own times do not grow, one frame after the last."""
        step = 1 / rate_of(self._stream)
        tick, origin = self._tick(picture), self._numbering.origin
        base = self._stream.time_base or Fraction(1)
        known = index * step if tick is None or origin is None else (tick - origin) * base
        seconds = float(known)
        self._latest = seconds if seconds > self._latest else self._latest + float(step)
        return self._latest
