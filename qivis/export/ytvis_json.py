"""Tracks as a results file of YouTube-VIS, with what a person wants to know besides."""

from collections.abc import Iterable
from typing import TypedDict

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
