"""What a run has done so far, chunk by chunk on disk: a run that was killed goes on from it.

A chunk is done when its list of frames has its final name; what else belongs to it is written
before. Nothing of it is ever changed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from qivis.data.video import VideoInfo
from qivis.errors import DataError
from qivis.files import atomic_path, write_atomically
from qivis.structures import View
from qivis.tracking.state import TrackerState, from_arrays, to_arrays
from qivis.tracking.tracklets import Identified

CHUNK_FRAMES = 64  # so much work is lost at most when a run is killed


STREAM = "stream.json"  # what is known of a live source, which nobody can ask any more


@dataclass(frozen=True)
class JournalFrame:
    """A frame that is done: its place in the clip, its time, and what it shows.

    drawn: the ids of those that its overlay shows, by the class that is known in this frame.
    """

    index: int
    seconds: float
    seen: Sequence[Identified]
    drawn: Sequence[int] = ()


class Journal:
    """The finished chunks of a run.

    folder: theirs alone; it is made with the first chunk.
    size: (H, W) of the frames.
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.folder = folder
        self.size = size
        self.num_chunks = 0
        while self._frames(self.num_chunks).is_file():
            self.num_chunks += 1

    @property
    def next_index(self) -> int:
        """Of the first frame that is not done.

        Raises:
            DataError: if the list of the last ones is damaged.
        """
        if not self.num_chunks:
            return 0
        frames = list(self.chunk(self.num_chunks - 1))
        if not frames:
            raise _damaged(self._frames(self.num_chunks - 1))
        return frames[-1].index + 1

    def state(self) -> TrackerState:
        """What the tracker knew after the last frame that is done.

        Raises:
            DataError: if its file is damaged.
        """
        if not self.num_chunks:
            return TrackerState()
        path = self._state(self.num_chunks - 1)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return from_arrays(arrays)
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, NotImplementedError) as error:
            raise _damaged(path) from error

    def overlay(self, chunk: int) -> Path:
        """Where the part of the overlay that belongs to a chunk is, or is to be written."""
        return self.folder / f"{chunk:06d}.mp4"

    def finish_chunk(self, frames: Sequence[JournalFrame], state: TrackerState) -> None:
        """Keep the next chunk.

        Args:
            frames: at least one.
            state: of the tracker after the last of them.
        """
        with atomic_path(self._state(self.num_chunks)) as path, path.open("wb") as file:
            np.savez(file, allow_pickle=False, **to_arrays(state))
        with atomic_path(self._frames(self.num_chunks)) as path, path.open("w") as file:
            file.writelines(f"{json.dumps(_to_json(frame))}\n" for frame in frames)
        self.num_chunks += 1

    def frames(self) -> Iterator[JournalFrame]:
        """All frames that are done, in their order.

        Raises:
            DataError: if a file is damaged.
        """
        for chunk in range(self.num_chunks):
            yield from self.chunk(chunk)

    def chunk(self, chunk: int) -> Iterator[JournalFrame]:
        """The frames of a chunk, which is done.

        Raises:
            DataError: if its file is damaged.
        """
        path = self._frames(chunk)
        try:
            for line in path.read_text(encoding="ascii").splitlines():
                yield _from_json(json.loads(line), self.size)
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(path) from error

    def _frames(self, chunk: int) -> Path:
        return self.folder / f"{chunk:06d}.jsonl"

    def _state(self, chunk: int) -> Path:
        return self.folder / f"{chunk:06d}.npz"


def keep_stream(folder: Path, info: VideoInfo) -> None:
    """Keep what is known of a live source, before its first chunk is done."""
    content = {"size": info.size, "fps": str(info.fps)}
    write_atomically(folder / STREAM, json.dumps(content).encode("ascii"))


def kept_stream(folder: Path) -> VideoInfo | None:
    """The same, if chunks of it are done.

    Raises:
        DataError: if it is damaged.
    """
    path = folder / STREAM
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        height, width = content["size"]
        info = VideoInfo(0, (int(height), int(width)), Fraction(content["fps"]), 0.0)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        raise _damaged(path) from error
    return info if Journal(folder, info.size).num_chunks else None


def _to_json(frame: JournalFrame) -> list[Any]:
    seen = [
        [track_id, label, view.mask["counts"], view.score, view.likeness]
        for track_id, label, view in frame.seen
    ]
    return [frame.index, frame.seconds, seen, list(frame.drawn)]


def _from_json(values: list[Any], size: tuple[int, int]) -> JournalFrame:
    index, seconds, rows, drawn = values
    seen = [
        Identified(track_id, label, View({"size": list(size), "counts": counts}, score, likeness))
        for track_id, label, counts, score, likeness in rows
    ]
    return JournalFrame(index, seconds, seen, tuple(drawn))


def _damaged(path: Path) -> DataError:
    return DataError(f"{path}: damaged, so the run cannot go on; begin it anew without --resume")
