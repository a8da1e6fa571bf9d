"""A sequence of picture files as a video."""

import logging
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from qivis.data.video.source import FrameSource, VideoInfo
from qivis.errors import DataError, VideoError
from qivis.structures import Frame

FRAMES_PER_SECOND = Fraction(10)  # pictures have no times; a leisurely pace to watch them at

log = logging.getLogger(__name__)


class PictureSequence(FrameSource):
    """Picture files, one a frame; those that cannot be read are left out with a warning.

    source: what the user calls them.
    paths: at least one.

    Raises:
        VideoError: if no picture can be read.
    """

    def __init__(self, source: Path, paths: Sequence[Path]) -> None:
        self.source = source
        self.frames_lost = 0
        self._paths = paths
        self._running: Generator[Frame, None, None] | None = None
        self.info = VideoInfo(
            num_frames=len(paths),
            size=self._first_size(),
            fps=FRAMES_PER_SECOND,
            seconds=float(len(paths) / FRAMES_PER_SECOND),
        )

    def frames(self, start: int = 0) -> Generator[Frame, None, None]:
        """See `FrameSource`."""
        self.close()
        self._running = self._read(start)
        return self._running

    def close(self) -> None:
        """See `FrameSource`."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def _first_size(self) -> tuple[int, int]:
        from qivis.data.images import read_image

        errors = []
        for path in self._paths:
            try:
                height, width = read_image(path).shape[1:]
            except DataError as error:
                errors.append(error)
            else:
                return height, width
        raise VideoError(
            f"{self.source}: none of its {len(errors)} pictures can be read (first: {errors[0]})"
        ) from errors[0]

    def _read(self, start: int) -> Generator[Frame, None, None]:
        from qivis.data.images import read_image

        self.frames_lost = 0
        index = 0
        for path in self._paths:
            try:
                image = read_image(path)
            except DataError as error:
                log.warning("%s; left out", error)
                self.frames_lost += 1
                continue
            self._check_size(path, image)
            if index >= start:
                yield Frame(image, index, float(index / FRAMES_PER_SECOND))
            index += 1

    def _check_size(self, path: Path, image: Tensor) -> None:
        size = tuple(image.shape[1:])
        if size != self.info.size:
            raise VideoError(
                f"{path}: {size[1]} x {size[0]} pixels, but the pictures before it are "
                f"{self.info.size[1]} x {self.info.size[0]}; a sequence has one size"
            )
