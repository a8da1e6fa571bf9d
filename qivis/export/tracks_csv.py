"""Tracks as a table for spreadsheets and data frames: one row per object and frame, no masks."""

import csv
from collections.abc import Iterator
from pathlib import Path

from qivis.export.by_frame import objects_in
from qivis.files import atomic_path
from qivis.ops import rle
from qivis.structures import TrackedClip

COLUMNS = ("frame", "seconds", "track_id", "category", "score", "x1", "y1", "x2", "y2", "area")


def write_csv(clip: TrackedClip, path: Path) -> None:
    """Write a line of column names, then one row per object and frame, frame after frame.

    Frames and track ids are those of `tracks.json`, from 0. Boxes are the tightest around the
    masks: x1 y1 belong to the first pixel, x2 y2 lie behind the last one; the area is in pixels.
    """
    with (
        atomic_path(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_rows(clip))


def _rows(clip: TrackedClip) -> Iterator[tuple[object, ...]]:
    names = clip.categories.names
    for frame, seconds in enumerate(clip.times):
        for track, view in objects_in(clip, frame):
            x1, y1, width, height = map(int, rle.to_box(view.mask))
            box = (x1, y1, x1 + width, y1 + height)
            what = (track.track_id, names[track.label], f"{view.score:.4f}")
            yield frame, f"{seconds:.6f}", *what, *box, rle.area(view.mask)
