"""Frames with their objects on their way to disk, chunk by chunk."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from qivis.data.video import VideoInfo
from qivis.inference.journal import CHUNK_FRAMES, Journal, JournalFrame
from qivis.structures import Categories, Frame, TrackedDetections
from qivis.tracking import views_of
from qivis.tracking.state import TrackerState
from qivis.viz import VideoWriter, draw


class Recorder:
    """Takes a clip frame by frame; a chunk that an error cuts short leaves nothing.

    journal: where finished chunks go.
    info: of the clip.
    categories: what the labels mean.
    with_overlay: whether frames are drawn, too.
    """

    def __init__(
        self, journal: Journal, info: VideoInfo, categories: Categories, *, with_overlay: bool
    ) -> None:
        self._journal = journal
        self._info = info
        self._names = categories.names
        self._with_overlay = with_overlay
        self._frames: list[JournalFrame] = []
        self._state = TrackerState()
        self._part = ExitStack()
        self._writer: VideoWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._part.__exit__(kind, error, trace)

    def add(self, frame: Frame, tracked: TrackedDetections, state: TrackerState) -> None:
        """Take the next frame.

        Args:
            frame: of the clip.
            tracked: its objects.
            state: of the tracker after this frame.
        """
        if self._with_overlay:
            self._draw(frame, tracked)
        self._frames.append(JournalFrame(frame.index, frame.seconds, views_of(tracked)))
        self._state = state
        if len(self._frames) == CHUNK_FRAMES:
            self.finish_chunk()

    def finish_chunk(self) -> None:
        """Have what was taken so far on disk; at the end of the clip, the last chunk."""
        if not self._frames:
            return
        self._part.close()  # the overlay's part gets its name
        self._writer = None
        self._journal.finish_chunk(self._frames, self._state)
        self._frames = []

    def _draw(self, frame: Frame, tracked: TrackedDetections) -> None:
        if self._writer is None:
            path = self._journal.overlay(self._journal.num_chunks)
            writer = VideoWriter(path, self._info.size, self._info.fps)
            self._writer = self._part.enter_context(writer)
        self._writer.write(draw(frame, tracked, self._names), frame.seconds)
