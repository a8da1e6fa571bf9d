"""The text format of MOTChallenge: one line per box.

Format: https://motchallenge.net/instructions/. Frames, ids and pixels are counted from 1 there: the
left top pixel of a picture is (1, 1).
"""

from collections.abc import Iterator
from pathlib import Path

from qivis.export.by_frame import objects_in
from qivis.files import atomic_path
from qivis.ops import rle
from qivis.structures import TrackedClip


def write_mot(clip: TrackedClip, path: Path) -> None:
    """Write one line per frame and object: frame, id, left, top, width, height, score, -1, -1, -1.

    Boxes are the tightest around the masks; the id is track id + 1. The format has no class; the
    last three are a place in the world, which is not known.
    """
    with (
        atomic_path(path) as partial,
        partial.open("w", encoding="ascii", newline="\n") as file,
    ):
        file.writelines(_lines(clip))


def _lines(clip: TrackedClip) -> Iterator[str]:
    for frame in range(len(clip.times)):
        for track, view in objects_in(clip, frame):
            left, top, width, height = map(int, rle.to_box(view.mask))
            box = f"{left + 1},{top + 1},{width},{height}"
            yield f"{frame + 1},{track.track_id + 1},{box},{view.score:.4f},-1,-1,-1\n"
