"""What everything that gives frames has in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

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


class DecoderStoppedError(Exception):
    """A decoder cannot give the next frame as it should be; another one may. Says why."""


class FrameSource(Protocol):
    """Pictures in time order, all of `info.size`; a context manager and an iterable of frames.

    info: known from the start.
    frames_lost: pictures that the latest reading had to leave out because they are damaged.
    """

    info: VideoInfo
    frames_lost: int

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames from index `start` on, which ends an earlier reading.

        Indices count the pictures that are given, so they have no gaps; the true times are in
        `Frame.seconds`. An image is laid out channels last in memory.

        Raises:
            VideoError: if the source turns out to be unusable on the way.
        """
        ...

    def close(self) -> None:
        """Stop reading and let go of the file."""
        ...

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
