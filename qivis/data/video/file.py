"""A video file as a source: decord where it is exact, PyAV for everything else."""

import logging
import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal

from qivis.data.video.source import DecoderStoppedError, FrameSource
from qivis.data.video.with_decord import MAX_REDECODING, decode_with_decord
from qivis.data.video.with_pyav import PyavDecoder, probe
from qivis.errors import VideoError
from qivis.structures import Frame

Decoder = Literal["auto", "decord", "pyav"]
END_TOLERANCE = 0.5  # seconds; containers count the sound, which may go on a little longer
Stage = Callable[[int], Iterator[Frame]]  # frames from an index on, or DecoderStoppedError

log = logging.getLogger(__name__)


class VideoFile(FrameSource):
    """A video file. Nothing stays open between readings, so it can be handed to a worker.

    path: the file.
    decoder: see `open_video`.

    Raises:
        VideoError: if it is missing, or not a video.
    """

    def __init__(self, path: Path, decoder: Decoder = "auto") -> None:
        self.path = path
        self.decoder = decoder
        self.frames_lost = 0
        self._running: Generator[Frame, None, None] | None = None
        if not path.is_file():
            raise VideoError(f"{path}: not a file")
        if path.stat().st_size == 0:
            raise VideoError(f"{path}: the file is empty")
        found = probe(path)
        self.info = found.info
        self._is_mirrored = found.is_mirrored

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

    def _read(self, start: int) -> Generator[Frame, None, None]:
        """One stage after the other, each from the frame at which the one before stopped."""
        self.frames_lost = 0
        patient = PyavDecoder(self.path)
        stages = self._stages(patient)
        next_index, seconds = start, 0.0
        while stages:
            name, stage = stages.pop(0)
            try:
                for frame in stage(next_index):
                    self.frames_lost = patient.frames_lost
                    yield frame
                    next_index, seconds = frame.index + 1, frame.seconds
                break
            except DecoderStoppedError as reason:
                if not stages:
                    raise VideoError(f"{self.path}: {name} cannot decode it ({reason})") from reason
                log.info("%s: %s stopped at frame %d: %s", self.path, name, next_index, reason)
        self.frames_lost = patient.frames_lost
        self._report(seconds, patient.last_error)

    def _stages(self, patient: PyavDecoder) -> list[tuple[str, Stage]]:
        """What decodes the file, in the order of preference."""
        decord: tuple[str, Stage] = ("decord", self._decode_with_decord)
        pyav: tuple[str, Stage] = ("pyav", PyavDecoder(self.path, is_patient=False).frames)
        patient_pyav: tuple[str, Stage] = ("patient pyav", patient.frames)
        stages = {
            "auto": [decord, pyav, patient_pyav],
            "decord": [decord],
            "pyav": [pyav, patient_pyav],
        }
        return stages[self.decoder]

    def _decode_with_decord(self, start: int) -> Iterator[Frame]:
        if self._is_mirrored:
            raise DecoderStoppedError("it would rotate mirrored pictures without flipping them")
        limit = math.inf if self.decoder == "decord" else MAX_REDECODING
        yield from decode_with_decord(self.path, self.info.size, start, limit)

    def _report(self, seconds: float, last_error: str) -> None:
        """Warn of what is missing in the middle, and of what is missing at the end."""
        if self.frames_lost:
            log.warning(
                "%s: left out what could not be decoded, %d times (last: %s)",
                self.path,
                self.frames_lost,
                last_error,
            )
        if seconds + 2 / self.info.fps + END_TOLERANCE < self.info.seconds:
            log.warning(
                "%s: ended at %.1f s of the %.1f s that its header claims",
                self.path,
                seconds,
                self.info.seconds,
            )
