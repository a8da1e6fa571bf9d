"""Frames with their objects on their way to disk, chunk by chunk."""

from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

import torch

from qivis.data.video import VideoInfo
from qivis.inference.journal import CHUNK_FRAMES, Journal, JournalFrame
from qivis.structures import Categories, Frame, TrackedDetections
from qivis.tracking import views_of
from qivis.tracking.state import TrackerState
from qivis.viz import VideoWriter, draw


class Recorder:
    """Takes a clip frame by frame; a chunk that an error cuts short leaves nothing.

    A track that too few frames show will be none in the end (`TrackletCollector`), so a frame is
    only drawn when the next ones are known, and of its tracks only those that are seen often enough
    until then. A track whose first frames lie further apart is not drawn in these; if a class
    turns out to be another, that is for `redraw_stale_parts`.

    journal: where finished chunks go.
    info: of the clip.
    categories: what the labels mean.
    min_frames: in so many a track must be seen to count.
    labels: of the classes that are drawn; None for all.
    with_overlay: whether frames are drawn, too.
    """

    def __init__(
        self,
        journal: Journal,
        info: VideoInfo,
        categories: Categories,
        min_frames: int,
        labels: Sequence[int] | None,
        *,
        with_overlay: bool,
    ) -> None:
        self._journal = journal
        self._info = info
        self._names = categories.names
        self._min_frames = min_frames
        self._labels = labels
        self._with_overlay = with_overlay
        self._sightings = Counter(
            seen.track_id for frame in journal.frames() for seen in frame.seen
        )
        self._waiting = deque[_Taken]()
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
        seen = views_of(tracked)
        self._sightings.update(one.track_id for one in seen)
        kept = JournalFrame(frame.index, frame.seconds, seen)
        self._waiting.append(_Taken(frame, tracked, kept, state))
        if len(self._waiting) >= self._min_frames:
            self._record(self._waiting.popleft(), self._min_frames)

    def finish(self, num_frames: int = 0) -> None:
        """Have all that was taken on disk.

        Args:
            num_frames: of the clip as far as is known, also of frames that could not be decoded.
        """
        if self._waiting:
            num_frames = max(num_frames, self._waiting[-1].frame.index + 1)
        while self._waiting:
            self._record(self._waiting.popleft(), min(self._min_frames, num_frames))
        self._finish_chunk()

    def _record(self, taken: "_Taken", enough: int) -> None:
        kept = taken.kept
        if self._with_overlay:
            drawn = self._drawn_of(taken.tracked, enough)
            self._draw(taken.frame, drawn)
            kept = replace(kept, drawn=tuple(drawn.track_ids.tolist()))
        self._frames.append(kept)
        self._state = taken.state
        if len(self._frames) == CHUNK_FRAMES:
            self._finish_chunk()

    def _drawn_of(self, tracked: TrackedDetections, enough: int) -> TrackedDetections:
        found = zip(tracked.track_ids.tolist(), tracked.labels.tolist(), strict=True)
        wanted = [
            self._sightings[track_id] >= enough and (self._labels is None or label in self._labels)
            for track_id, label in found
        ]
        return tracked if all(wanted) else tracked[torch.tensor(wanted)]  # masks are much to copy

    def _finish_chunk(self) -> None:
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


class _Taken(NamedTuple):
    """A frame that waits for the next ones; kept: what the journal will have of it."""

    frame: Frame
    tracked: TrackedDetections
    kept: JournalFrame
    state: TrackerState
