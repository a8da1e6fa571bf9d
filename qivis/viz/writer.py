"""Frames as an H.264 video that browsers and players take.

4:2:0 colour and the index at the front, because some browsers play nothing else.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.ffmpeg import name_of
from qivis.files import atomic_path

CRF = "22"  # a little better than x264's 23, for the sake of contours and text
PRESET = "superfast"  # a third larger than by veryfast, in two thirds of its time
# Frames leave the encoder in the order of their times: videos can be put behind one another.
NO_B_FRAMES = "0"
# With its macroblock tree, x264 encodes the same frames differently now and then, also by one
# thread (12 frames of 160 x 96: 29 of 400 times, PyAV 18). Without, a file can be made again. This
# preset has none anyway, for it does not look ahead; the next slower one has.
REPEATABLE = "mbtree=0"
WHOLE_PIXELS = "subme=0"  # of motion: a seventh less time, and files 3 % larger
# Colour of the half resolution is the mean of 2 x 2 pixels, to less than a level. What FFmpeg takes
# otherwise spreads it over twice as many rows and is up to 11 levels off; it is slower, too.
MEAN_OF_FOUR = int(Interpolation.AREA) | int(Interpolation.FULL_CHR_H_INP)
BT709 = 1  # in H.264's tables of primaries, transfer functions and matrices
LEAST_TICKS = 90_000  # a second, as fine as MPEG's clock


class VideoWriter:
    """Writes frames one after the other. What stands under `path` is always a whole video.

    path: of the mp4; its folder is made if need be. The file appears when the block ends well.
    size: (H, W) of the frames. An odd side grows by a pixel that repeats the last one.
    fps: frames a second on average; their times are exact if they keep this rate.

    Raises:
        DataError: if nothing can be written there, or the block ends without a frame.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        self.path = path
        self.size = size
        self.fps = fps
        self._clock = Clock(fps)
        self._colors = VideoReformatter()

    def __enter__(self) -> Self:
        self._block = self._open()
        try:
            self._container, self._stream = self._block.__enter__()
        except (av.FFmpegError, OSError) as error:
            raise self._refusal(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._block.__exit__(kind, error, trace)
        except (av.FFmpegError, OSError) as failure:
            raise self._refusal(failure) from failure

    def write(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """Add a frame.

        Args:
            picture: (H, W, 3) RGB.
            seconds: its time; the video begins at that of the first frame.
        """
        assert picture.shape == (*self.size, 3), "all frames of a video have one size"
        if any(side % 2 for side in self.size):
            padding = [(0, side % 2) for side in self.size]
            picture = np.pad(picture, [*padding, (0, 0)], mode="edge")
        frame = self._colors.reformat(
            av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(picture), "rgb24"),
            format="yuv420p",
            interpolation=MEAN_OF_FOUR,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,  # others cost more to start than they save
        )
        frame.pts, frame.time_base = self._clock.next_tick(seconds), self._clock.time_base
        self._mux(self._stream.encode(frame))

    @contextmanager
    def _open(self) -> Iterator[tuple[OutputContainer, VideoStream]]:
        options = {"movflags": "faststart"}
        with (
            atomic_path(self.path) as partial,
            av.open(name_of(partial), "w", format="mp4", options=options) as container,
        ):
            stream = container.add_stream("libx264", rate=self.fps)
            stream.options = {
                "crf": CRF,
                "preset": PRESET,
                "bf": NO_B_FRAMES,
                "x264-params": f"{REPEATABLE}:{WHOLE_PIXELS}",
            }
            stream.time_base = stream.codec_context.time_base = self._clock.time_base
            stream.height, stream.width = (side + side % 2 for side in self.size)
            stream.pix_fmt = "yuv420p"
            _tag_colors(stream)
            yield container, stream
            if self._clock.is_at_start:
                raise DataError(f"{self.path}: not written, for not one frame was given")
            self._mux(stream.encode())

    def _mux(self, packets: Sequence["Packet[VideoStream]"]) -> None:
        for packet in packets:
            packet.duration = self._clock.ticks_per_frame  # of the last one nobody else knows it
        try:
            self._container.mux(packets)
        except (av.FFmpegError, OSError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or error
        return DataError(f"{self.path}: cannot be written ({reason})")


class Clock:
    """Times as whole ticks that grow from frame to frame, from 0 on.

    A tick is a whole part of the average frame, so that a steady rate is kept without rounding.
    """

    def __init__(self, fps: Fraction) -> None:
        """Args: fps: frames a second on average."""
        self.time_base = Fraction(1, fps.numerator * math.ceil(LEAST_TICKS / fps.numerator))
        self.ticks_per_frame = round(1 / fps / self.time_base)
        self._first = 0.0
        self._tick = -1

    @property
    def is_at_start(self) -> bool:
        """Whether no frame had a tick yet."""
        return self._tick < 0

    def next_tick(self, seconds: float) -> int:
        """The tick of a frame; one later than the last one's if its time is not later."""
        if self.is_at_start:
            self._first = seconds
        self._tick = max(round((seconds - self._first) / self.time_base), self._tick + 1)
        return self._tick


def _tag_colors(stream: VideoStream) -> None:
    """Say which colours are meant: players guess differently for small and for large pictures."""
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = ColorRange.MPEG
