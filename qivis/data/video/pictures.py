"""A sequence of picture files as a video."""

import logging
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from qivis.data.video.picture_size import stored_size
from qivis.data.video.source import FrameSource, Limits, VideoInfo
from qivis.errors import DataError, VideoError
from qivis.structures import Frame

FRAMES_PER_SECOND = Fraction(10)  # pictures have no times; a leisurely pace to watch them at

log = logging.getLogger(__name__)


class PictureSequence(FrameSource):
    """Picture files, one a frame; those that cannot be read are lost frames.

    source: what the user calls them.
    paths: at least one.

    Raises:
        VideoError: if no picture can be read, or one is too large.
    """

    def __init__(self, source: Path, paths: Sequence[Path], limits: Limits | None = None) -> None:
        self.source = source
        self.limits = limits or Limits()
        self.lost = []
        self.paths = paths
        self.info = VideoInfo(
            num_frames=len(paths),
            size=self._first_size(),
            fps=FRAMES_PER_SECOND,
            seconds=float(len(paths) / FRAMES_PER_SECOND),
        )

    def _first_size(self) -> tuple[int, int]:
        errors = []
        for path in self.paths:
            try:
                height, width = self._read_picture(path).shape[1:]
            except DataError as error:
                errors.append(error)
            else:
                return height, width
        raise VideoError(
            f"{self.source}: none of its {len(errors)} pictures can be read (first: {errors[0]})"
        ) from errors[0]

    def _read(self, start: int) -> Generator[Frame, None, None]:
        for index, path in enumerate(self.paths[start:], start):
            try:
                image = self._read_picture(path)
            except DataError as error:
                log.warning("%s; left out", error)
                self.lost.append(index)
            else:
                self._check_size(path, image)
                yield Frame(image, index, float(index / FRAMES_PER_SECOND))

    def _read_picture(self, path: Path) -> Tensor:
        from qivis.data.images import read_image

        size = stored_size(path)
        if size:
            self.limits.check(path, size)
        return read_image(path)

    def _check_size(self, path: Path, image: Tensor) -> None:
        size = tuple(image.shape[1:])
        if size != self.info.size:
            raise VideoError(
                f"{path}: {size[1]} x {size[0]} pixels, but the pictures before it are "
                f"{self.info.size[1]} x {self.info.size[0]}; a sequence has one size"
            )
