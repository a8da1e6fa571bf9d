"""Tracks as a results file of YouTube-VIS, with what a person wants to know besides."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from qivis.files import write_atomically
from qivis.ops.rle import Rle
from qivis.structures import Categories, Track


class TrackEntry(TypedDict):
    """One track. `track_id` and `category` (a name) are extra: the official metric ignores them."""

    video_id: int
    category_id: int
    score: float
    segmentations: list[Rle | None]
    track_id: int
    category: str


def to_entries(video_id: int, tracks: Iterable[Track], categories: Categories) -> list[TrackEntry]:
    """The entries of one video.

    Args:
        video_id: the data set's number of the video.
        tracks: of the video.
        categories: what the labels of the tracks mean.

    Returns:
        One entry a track, with one segmentation a frame: None where the object is not seen.
    """
    return [
        TrackEntry(
            video_id=video_id,
            category_id=categories.entries[track.label].id,
            score=track.score,
            segmentations=list(track.masks),
            track_id=track.track_id,
            category=categories.entries[track.label].name,
        )
        for track in tracks
    ]


def write_entries(entries: Sequence[TrackEntry], path: Path) -> None:
    """Write the entries as a JSON list, whole or not at all."""
    write_atomically(path, json.dumps(entries, separators=(",", ":")).encode("ascii"))
