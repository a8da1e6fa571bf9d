"""What is read while it comes into being: a webcam, an address on the network, standard input.

There is no going back, and the end is known only when it is there.
"""

import logging
import re
import sys
from collections.abc import Generator, Mapping
from itertools import chain
from typing import Any

import av
from av.container import InputContainer

from qivis.data.video.container import rate_of, reason_of, video_stream
from qivis.data.video.source import DecoderStoppedError, FrameSource, Limits, VideoInfo
from qivis.data.video.with_pyav import PyavDecoder
from qivis.errors import VideoError
from qivis.structures import Frame

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp")
SILENCE = 10.0  # seconds without data after which a connection counts as broken
# UDP loses packets as soon as the consumer is slower than the camera.
ADDRESS_OPTIONS = {"rtsp_transport": "tcp"}
# Macs refuse to open a camera without a rate; 30 is what all of theirs have.
MAC_OPTIONS = {"framerate": "30"}

log = logging.getLogger(__name__)


def is_live(source: str) -> bool:
    """Whether this names a webcam (`0`), an address (`rtsp://...`) or standard input (`-`)."""
    scheme, separator, _ = source.partition("://")
    return source == "-" or _is_webcam(source) or (bool(separator) and scheme.lower() in SCHEMES)


class EndedStream(FrameSource):
    """A stream that is over, of which nothing but this is known: it gives no frame."""

    def __init__(self, info: VideoInfo) -> None:
        self.info, self.limits, self.lost = info, Limits(), []

    def _read(self, start: int) -> Generator[Frame, None, None]:
        del start  # there is nothing behind any frame
        yield from ()


class LiveSource(FrameSource):
    """A stream of pictures that can be read once, from the beginning.

    Its `info` claims neither frames nor seconds. When a connection breaks, the reading ends with
    a warning; the frames before that are valid. Webcams follow the documentation of FFmpeg's
    devices; those of Linux have been run, with a driver that tests bring along.

    name: a webcam's number, an address, or `-`.

    Raises:
        VideoError: if there is nothing, it gives no picture, or its pictures are too large.
    """

    def __init__(self, name: str, limits: Limits | None = None) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.lost = []
        self._container = _open(name)
        try:
            self._begin()
        except BaseException:
            self._container.close()
            raise

    def _begin(self) -> None:
        """Read up to the first picture, which tells the size."""
        stream = video_stream(self._container, self.name, self.limits)
        self._decoder = PyavDecoder(self._container, stream, broken_reads=1)
        self._frames = self._decoder.frames()
        try:
            first = next(self._frames, None)
        except DecoderStoppedError as error:
            raise VideoError(f"{self.name}: cannot be decoded ({error})") from error
        if first is None:
            raise VideoError(
                f"{self.name}: gives no picture ({self._decoder.last_error or 'it ended'})"
            )
        self.limits.check(self.name, first.size)
        self.info = VideoInfo(0, first.size, rate_of(stream), 0.0)
        self._frames = chain([first], self._frames)

    def frames(self, start: int = 0) -> Generator[Frame, None, None]:
        """See `FrameSource`.

        Raises:
            VideoError: if `start` is not 0, or for a second reading.
        """
        if start or self._running is not None:
            raise VideoError(
                f"{self.name}: a live source can be read once and from its beginning only; "
                "record it to read it again or to go on from a frame"
            )
        return super().frames()

    def close(self) -> None:
        """See `FrameSource`."""
        if self._end_reading():
            self._container.close()

    def _read(self, start: int) -> Generator[Frame, None, None]:
        assert start == 0, "checked when the reading began"
        self.lost = self._decoder.lost
        try:
            yield from self._frames
        except DecoderStoppedError as error:
            raise VideoError(f"{self.name}: cannot be decoded ({error})") from error
        if self._decoder.last_error:
            log.warning("%s: damaged or broken off (%s)", self.name, self._decoder.last_error)


def _open(name: str) -> InputContainer:
    file, options = _target(name)
    try:
        container: InputContainer = av.open(
            file, metadata_errors="ignore", timeout=SILENCE, **options
        )
    except av.ExitError as error:
        raise VideoError(f"{name}: no answer within {SILENCE:g} s") from error
    except (av.FFmpegError, OSError) as error:
        what = f"no such webcam: {file}" if _is_webcam(name) else "cannot be opened"
        raise VideoError(f"{name}: {what} ({reason_of(error)})") from error
    return container


def _target(name: str) -> tuple[Any, Mapping[str, Any]]:
    """What to open, and how."""
    if name == "-":
        if sys.stdin is None or sys.stdin.isatty():  # None where it was closed, as for daemons
            raise VideoError("-: nothing is piped in; expected a video, best as MPEG-TS")
        # Without a buffer, whose lock a thread that waits for more would hold when Python ends.
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False), {}
    if not _is_webcam(name):
        return name, {"options": ADDRESS_OPTIONS}
    if sys.platform == "darwin":
        return name, {"format": "avfoundation", "options": MAC_OPTIONS}
    if sys.platform == "win32":
        return _windows_camera(int(name)), {"format": "dshow"}
    return f"/dev/video{name}", {"format": "v4l2"}


def _windows_camera(number: int) -> str:
    """Windows knows cameras by their names only."""
    cameras = [
        device.name
        for device in av.enumerate_input_devices("dshow")
        if "video" in device.media_types
    ]
    if number >= len(cameras):
        raise VideoError(f"{number}: no such webcam; there are {len(cameras)}")
    return f"video={cameras[number]}"


def _is_webcam(source: str) -> bool:
    return re.fullmatch(r"\d{1,3}", source, re.ASCII) is not None
