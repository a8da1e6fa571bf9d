"""Frames as an H.264 video that browsers and players take.

4:2:0 colour and the index at the front, because some browsers play nothing else.
"""

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
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.files import atomic_path

CRF = "21"  # a little better than x264's 23, for the sake of contours and text
PRESET = "veryfast"
BT709 = 1  # in H.264's tables of primaries, transfer functions and matrices


class VideoWriter:
    """Writes frames one after the other. What stands under `path` is always a whole video.

    path: of the mp4; its folder is made if need be. The file appears when the block ends well.
    size: (H, W) of the frames. An odd side grows by a pixel that repeats the last one.
    fps: frames a second, kept exactly.

    Raises:
        DataError: if nothing can be written there, or the block ends without a frame.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        self.path = path
        self.size = size
        self.fps = fps
        self._count = 0

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

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Add a frame, (H, W, 3) RGB."""
        assert picture.shape == (*self.size, 3), "all frames of a video have one size"
        padding = [(0, side % 2) for side in self.size]
        padded = np.pad(picture, [*padding, (0, 0)], mode="edge")
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = self._count, 1 / self.fps
        self._count += 1
        self._mux(self._stream.encode(frame))

    @contextmanager
    def _open(self) -> Iterator[tuple[OutputContainer, VideoStream]]:
        options = {"movflags": "faststart"}
        with (
            atomic_path(self.path) as partial,
            av.open(str(partial), "w", format="mp4", options=options) as container,
        ):
            stream = container.add_stream("libx264", rate=self.fps)
            stream.options = {"crf": CRF, "preset": PRESET}
            stream.height, stream.width = (side + side % 2 for side in self.size)
            stream.pix_fmt = "yuv420p"
            _tag_colors(stream)
            yield container, stream
            if self._count == 0:
                raise DataError(f"{self.path}: not written, for not one frame was given")
            self._mux(stream.encode())

    def _mux(self, packets: Sequence["Packet[VideoStream]"]) -> None:
        try:
            self._container.mux(packets)
        except (av.FFmpegError, OSError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or error
        return DataError(f"{self.path}: cannot be written ({reason})")


def _tag_colors(stream: VideoStream) -> None:
    """Say which colours are meant: players guess differently for small and for large pictures."""
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = ColorRange.MPEG
