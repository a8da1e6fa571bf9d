"""Decoding with PyAV, which opens nearly everything.

Strictly from the beginning to the end, because seeking is where decoders go wrong.
"""

import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from qivis.data.video.source import DecoderStoppedError, VideoInfo
from qivis.errors import VideoError
from qivis.structures import Frame

FALLBACK_FPS = Fraction(25)  # of streams that state no rate, such as raw H.264
THREADS = 4  # more cost memory and bring little
MAX_BROKEN_READS = 100  # in a row; a damaged container can fail for ever without moving on

Pixels = NDArray[np.uint8]
Turn = tuple[int, int, int, int]  # signs of a, b, c, d: x' = a x + c y, y' = b x + d y
UPRIGHT: Turn = (1, 0, 0, 1)


@dataclass(frozen=True)
class Probe:
    """What the header and the first picture tell.

    is_mirrored: whether the pictures are to be flipped, not only rotated.
    """

    info: VideoInfo
    is_mirrored: bool


def probe(path: Path) -> Probe:
    """Look into a video file.

    Raises:
        VideoError: if it is not a video, or nothing in it can be decoded.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        picture = next(PyavDecoder(path).pictures(container, stream), None)
        if picture is None:
            raise VideoError(f"{path}: not one frame can be decoded; the file is damaged")
        a, b, c, d = _turn(picture)
        stored = picture.height, picture.width
        seconds = _seconds(container, stream)
        fps = stream.average_rate or stream.guessed_rate or FALLBACK_FPS
        size = stored[::-1] if a == 0 else stored
        info = VideoInfo(stream.frames, size, Fraction(fps), seconds)
    return Probe(info, is_mirrored=a * d - b * c < 0)


def open_container(path: Path) -> AbstractContextManager[InputContainer]:
    """Open a file for reading.

    Raises:
        VideoError: if it cannot be read or has no known format.
    """
    # The absolute name, so that none is taken for an option or a protocol.
    name = str(path.absolute())
    try:
        return av.open(name, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: not a video that can be read ({reason_of(error)})") from error


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that shows moving pictures; the cover of an album is none.

    Raises:
        VideoError: if there is none, or no decoder for it.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        held = sorted({other.type for other in container.streams})
        raise VideoError(f"{path}: holds no video, only {' and '.join(held) or 'nothing'}")
    if stream.codec_context is None:  # whatever the types say: there is no decoder for it
        raise VideoError(f"{path}: its video codec is not known to this build of PyAV")
    return stream


class PyavDecoder:
    """Reads a file packet after packet.

    is_patient: whether damaged packets are skipped, and counted in `frames_lost`; otherwise the
        first of them ends the reading, which is faster because several frames are decoded at
        once.
    """

    def __init__(self, path: Path, *, is_patient: bool = True) -> None:
        self.path = path
        self.is_patient = is_patient
        self.frames_lost = 0
        self.last_error = ""

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames from index `start` on.

        Raises:
            DecoderStoppedError: if something is damaged and the decoder is not patient.
            VideoError: if the file cannot be read.
        """
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            stream.thread_type = "SLICE" if self.is_patient else "AUTO"
            stream.codec_context.thread_count = THREADS
            first: VideoFrame | None = None
            for index, picture in enumerate(self.pictures(container, stream)):
                first = first or picture
                if index >= start:
                    pixels = _upright(_to_rgb(picture, like=first), _turn(first))
                    seconds = _seconds_between(first, picture, index, stream)
                    yield Frame(to_image(pixels), index, seconds)

    def pictures(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Decoded pictures, in the order in which they are shown."""
        missing = 0
        for packet in self._packets(container, stream):
            missing += packet.size > 0 and not packet.is_discard
            try:
                pictures = packet.decode()
            except av.FFmpegError as error:
                self._skip(error)
            else:
                missing -= len(pictures)
                yield from pictures
        # Decoding several frames at once can lose the last ones to an error without telling.
        if missing > 0 and not self.is_patient:
            raise DecoderStoppedError(f"{missing} packets gave no picture")

    def _packets(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator["Packet[VideoStream]"]:
        broken_reads = 0
        while broken_reads < MAX_BROKEN_READS:
            try:
                for packet in container.demux(stream):
                    broken_reads = 0
                    yield packet
            except av.FFmpegError as error:
                if not broken_reads:  # what fails again at the same place is lost but once
                    self._skip(error)
                broken_reads += 1
            else:
                return

    def _skip(self, error: BaseException) -> None:
        if not self.is_patient:
            raise DecoderStoppedError(reason_of(error)) from error
        self.frames_lost += 1
        self.last_error = reason_of(error)


def to_image(pixels: Pixels) -> torch.Tensor:
    """(H, W, 3) to (3, H, W) without moving a byte."""
    return torch.from_numpy(pixels).permute(2, 0, 1)


def reason_of(error: BaseException) -> str:
    """What FFmpeg says, without its error number."""
    return str(getattr(error, "strerror", None) or error)


def _to_rgb(picture: VideoFrame, like: VideoFrame) -> Pixels:
    """(H, W, 3); a stream may change its size on the way, its frames here do not."""
    try:
        pixels = picture.to_ndarray(format="rgb24", width=like.width, height=like.height)
    except (av.FFmpegError, ValueError) as error:
        raise DecoderStoppedError(f"no way from {like.format.name} to RGB") from error
    return pixels.astype(np.uint8, copy=False)


def _turn(picture: VideoFrame) -> Turn:
    """How the stored picture is to be turned to be upright, from its display matrix."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix))
    is_quarter_turn = (b == c == 0 and a and d) or (a == d == 0 and b and c)
    return (_sign(a), _sign(b), _sign(c), _sign(d)) if is_quarter_turn else UPRIGHT


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _upright(pixels: Pixels, turn: Turn) -> Pixels:
    a, b, c, d = turn
    swapped = pixels.swapaxes(0, 1) if a == 0 else pixels
    return np.ascontiguousarray(swapped[:: b + d, :: a + c])


def _seconds_between(
    first: VideoFrame, picture: VideoFrame, index: int, stream: VideoStream
) -> float:
    if first.pts is None or picture.pts is None or picture.time_base is None:
        return float(index / (stream.average_rate or FALLBACK_FPS))
    return float((picture.pts - first.pts) * picture.time_base)


def _seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base
