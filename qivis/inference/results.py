"""What one run leaves behind: a folder with the overlay video and the tracks."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from qivis.data.video import VideoInfo
from qivis.errors import VideoError
from qivis.export.tracks_json import write_tracks
from qivis.structures import Categories, Frame, Track, TrackedClip, TrackedDetections
from qivis.tracking import TrackletCollector
from qivis.viz.overlay import draw
from qivis.viz.writer import VideoWriter

OVERLAY, TRACKS = "overlay.mp4", "tracks.json"


@dataclass(frozen=True)
class Results:
    """What was found in a clip.

    num_frames: that were decoded.
    tracks: that are long enough, by id.
    """

    num_frames: int
    tracks: tuple[Track, ...]

    @property
    def longest(self) -> int:
        """Frames in which the most persistent object is seen."""
        return max((track.num_seen for track in self.tracks), default=0)


@contextmanager
def new_run_folder(root: Path, name: str) -> Iterator[Path]:
    """Make `root/name`, or `root/name-2`, `-3` ... where that exists; nothing is overwritten.

    After an error the folder is gone again, unless there is something in it.
    """
    for number in itertools.count(1):
        folder = root / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def write_results(
    stream: Iterable[tuple[Frame, TrackedDetections]],
    info: VideoInfo,
    categories: Categories,
    folder: Path,
    min_frames: int,
) -> Results:
    """Write the overlay video and the tracks of a clip, each whole or not at all.

    Args:
        stream: the frames of the clip with their objects.
        info: of the clip.
        categories: what the labels mean.
        folder: where to.
        min_frames: tracks seen in fewer are not written.

    Raises:
        VideoError: if there is no frame.
        DataError: if nothing can be written there.
    """
    collector, times = TrackletCollector(min_frames), list[float | None]()
    with VideoWriter(folder / OVERLAY, size=info.size, fps=info.fps) as writer:
        for frame, tracked in stream:
            writer.write(draw(frame, tracked, categories.names), frame.seconds)
            collector.add(tracked)
            times.append(frame.seconds)
        if not times:
            raise VideoError(f"{folder.name}: not one frame could be decoded")
        tracks = tuple(collector.tracks())
        clip = TrackedClip(info.size, info.fps, tuple(times), categories, tracks)
        write_tracks(clip, folder / TRACKS)
    return Results(len(times), tracks)
