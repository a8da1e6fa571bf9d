"""What everything that gives frames has in common."""

import inspect
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from qivis.errors import VideoError
from qivis.structures import Frame


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is read.

    num_frames: what the container claims, which may be wrong; 0 if it claims nothing.
    size: (H, W) in pixels of every frame, after rotation.
    fps: frames a second on average, exact.
    seconds: length as the container claims it; 0.0 if it claims nothing.
    """

    num_frames: int
    size: tuple[int, int]
    fps: Fraction
    seconds: float


@dataclass(frozen=True)
class Limits:
    """How much of a source is read.

    max_pixels: larger pictures are refused before memory is taken for them.
    max_frames: frames from this index on are not read.
    """

    max_pixels: int = 8192 * 8192
    max_frames: int = sys.maxsize

    def check(self, name: Path | str, size: tuple[int, int]) -> None:
        """Refuse pictures of a (H, W) `size` that is too large.

        Raises:
            VideoError: if it is.
        """
        height, width = size
        if height * width > self.max_pixels:
            raise VideoError(
                f"{name}: pictures of {width} x {height} pixels, but at most {self.max_pixels} "
                "pixels are allowed; raise --max-pixels if you trust it"
            )


class DecoderStoppedError(Exception):
    """A decoder cannot give the next frame as it should be; another one may. Says why."""


class FrameSource(Protocol):
    """Pictures in time order, all of `info.size`; a context manager and an iterable of frames.

    info: known from the start.
    paths: of the files of a sequence of pictures, one a frame; empty for all else.
    limits: how much of it is read.
    lost: ascending indices of the frames that the latest reading could not give. It grows while
        frames are read: when a frame comes, all that are missing before it are there. Frames
        that are cut off at the end are counted as far as an index of the file tells of them.
        Of a hole in a file without such an index nothing is known but the step in time.
    """

    info: VideoInfo
    limits: Limits
    lost: list[int]
    paths: Sequence[Path] = ()
    _running: Generator[Frame, None, None] | None = None

    def frames(self, start: int = 0) -> Generator[Frame, None, None]:
        """The frames from index `start` on, which ends an earlier reading.

        An index is the position among all frames that the source should have, whichever decoder
        reads it: each index from `start` on is either that of a frame, or in `lost`. Times begin
        at 0.0 with index 0 and grow with every frame. An image is laid out channels last in
        memory.

        Raises:
            VideoError: if the source turns out to be unusable on the way.
        """
        if self._running is not None:
            self._running.close()
        self._running = self._read_to_limit(start)
        return self._running

    def close(self) -> None:
        """Stop reading and let go of the file.

        A thread that waits for a frame, which may never come, is left alone; it ends with the
        process.
        """
        self._end_reading()

    def _end_reading(self) -> bool:
        """Whether nobody reads any more."""
        if self._running is not None:
            if inspect.getgeneratorstate(self._running) == inspect.GEN_RUNNING:
                return False
            self._running.close()
        return True

    def _read(self, start: int) -> Generator[Frame, None, None]:
        """The frames from index `start` on; puts into `lost` what is missing among them."""
        ...

    def _read_to_limit(self, start: int) -> Generator[Frame, None, None]:
        self.lost = []
        end = self.limits.max_frames
        if start >= end:
            return
        with closing(self._read(start)) as frames:
            for frame in frames:
                if frame.index < end:
                    yield frame
                if frame.index >= end - 1:
                    break
        self.lost = [index for index in self.lost if index < end]

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
