"""A video file as a source: a fast decoder where it is exact, PyAV for everything else."""

import logging
import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal

import torch

from qivis.data.video.container import open_container, video_stream
from qivis.data.video.source import DecoderStoppedError, FrameSource, Limits
from qivis.data.video.with_decord import (
    MAX_REDECODING,
    decode_with_decord,
    reason_against_decord,
)
from qivis.data.video.with_pyav import PyavDecoder, probe
from qivis.data.video.with_torchcodec import (
    check_torchcodec,
    decode_with_torchcodec,
    has_torchcodec,
    reason_against_torchcodec,
)
from qivis.errors import VideoError
from qivis.structures import Frame
from qivis.wording import counted

Decoder = Literal["auto", "torchcodec", "decord", "pyav"]
END_TOLERANCE = 0.5  # seconds; containers count the sound, which may go on a little longer
Stage = Callable[[int], Iterator[Frame]]  # frames from an index on, or DecoderStoppedError

log = logging.getLogger(__name__)


class VideoFile(FrameSource):
    """A video file. Nothing stays open between readings, so it can be handed to a worker.

    path: the file.
    decoder, gpu: see `open_video`.

    Raises:
        VideoError: if it is missing, not a video or too large, or the decoder is missing.
    """

    def __init__(
        self,
        path: Path,
        decoder: Decoder = "auto",
        limits: Limits | None = None,
        gpu: torch.device | None = None,
    ) -> None:
        self.path = path
        self.decoder = decoder
        self.limits = limits or Limits()
        self.gpu = gpu
        self.lost = []
        if not path.is_file():
            raise VideoError(f"{path}: not a file")
        if path.stat().st_size == 0:
            raise VideoError(f"{path}: the file is empty")
        if decoder == "torchcodec":
            check_torchcodec()
        self._found = probe(path, self.limits)
        self.info = self._found.info

    def _read(self, start: int) -> Generator[Frame, None, None]:
        """One stage after the other, each from the frame at which the one before stopped."""
        stages = self._stages()
        next_index, seconds = start, self.info.seconds  # nothing is missing behind the last frame
        while stages:
            name, stage = stages.pop(0)
            try:
                for frame in stage(next_index):
                    yield frame
                    next_index, seconds = frame.index + 1, frame.seconds
                break
            except DecoderStoppedError as reason:
                if not stages:
                    raise VideoError(f"{self.path}: {name} cannot decode it ({reason})") from reason
                log.info("%s: %s stopped at frame %d: %s", self.path, name, next_index, reason)
        if not self.lost and seconds + 2 / self.info.fps + END_TOLERANCE < self.info.seconds:
            log.warning(
                "%s: ended at %.1f s of the %.1f s that its header claims",
                self.path,
                seconds,
                self.info.seconds,
            )

    def _stages(self) -> list[tuple[str, Stage]]:
        """What decodes the file, in the order of preference."""
        torchcodec: tuple[str, Stage] = ("torchcodec", self._decode_with_torchcodec)
        decord: tuple[str, Stage] = ("decord", self._decode_with_decord)
        pyav: list[tuple[str, Stage]] = [
            ("pyav", self._decode_with_pyav),
            ("patient pyav", self._decode_patiently),
        ]
        match self.decoder:
            case "auto":
                return [*([torchcodec] if self.gpu and has_torchcodec() else []), decord, *pyav]
            case "torchcodec":
                return [torchcodec]
            case "decord":
                return [decord]
            case "pyav":
                return pyav

    def _decode_with_torchcodec(self, start: int) -> Iterator[Frame]:
        reason = reason_against_torchcodec(self._found)
        if reason:
            raise DecoderStoppedError(reason)
        gpu = self.gpu or torch.device("cuda")
        yield from decode_with_torchcodec(self.path, self.info.size, gpu, start)

    def _decode_with_decord(self, start: int) -> Iterator[Frame]:
        reason = reason_against_decord(self._found)
        if reason:
            raise DecoderStoppedError(reason)
        limit = math.inf if self.decoder == "decord" else MAX_REDECODING
        yield from decode_with_decord(self.path, self.info.size, start, limit)

    def _decode_with_pyav(self, start: int) -> Iterator[Frame]:
        with open_container(self.path) as container:
            stream = video_stream(container, self.path, self.limits)
            yield from PyavDecoder(container, stream, start, is_patient=False).frames()

    def _decode_patiently(self, start: int) -> Iterator[Frame]:
        with open_container(self.path) as container:
            stream = video_stream(container, self.path, self.limits)
            decoder = PyavDecoder(container, stream, start)
            self.lost = decoder.lost
            yield from decoder.frames()
        if decoder.lost or decoder.last_error:
            log.warning(
                "%s: damaged; %s could not be decoded, first of index %s (last error: %s)",
                self.path,
                counted(len(decoder.lost), "frame"),
                decoder.lost[0] if decoder.lost else "unknown",
                decoder.last_error or "the file ends too early",
            )
