"""Tracks of a whole video, gathered frame by frame as run lengths: dense masks outlive no frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from qivis.ops import rle
from qivis.structures import Track, TrackedDetections, View


class Identified(NamedTuple):
    """An object that one frame shows, as its track will keep it."""

    track_id: int
    label: int
    view: View


def views_of(tracked: TrackedDetections) -> list[Identified]:
    """The objects of a frame with run lengths for masks; one without a pixel is not there."""
    rows = zip(
        tracked.track_ids.tolist(),
        tracked.labels.tolist(),
        rle.encode(tracked.masks),
        tracked.scores.tolist(),
        tracked.likeness.tolist(),
        strict=True,
    )
    return [
        Identified(track_id, label, View(mask, score, likeness))
        for track_id, label, mask, score, likeness in rows
        if rle.area(mask)
    ]


class TrackletCollector:
    """Gathers the tracks of one video.

    min_frames: tracks seen in fewer frames are left out, unless the video itself is shorter.
    """

    def __init__(self, min_frames: int) -> None:
        self._min_frames = min_frames
        self._num_frames = 0
        self._tracklets: dict[int, _Tracklet] = {}

    def add(self, seen: Sequence[Identified]) -> None:
        """Take the objects of the next frame."""
        for track_id, label, view in seen:
            tracklet = self._tracklets.setdefault(track_id, _Tracklet())
            tracklet.views[self._num_frames] = view
            tracklet.label = label
        self._num_frames += 1

    def tracks(self) -> list[Track]:
        """The tracks of all T frames so far, by id; a track's label is its last frame's."""
        enough = min(self._min_frames, self._num_frames)
        return [
            Track(
                track_id=track_id,
                label=tracklet.label,
                views=tuple(tracklet.views.get(index) for index in range(self._num_frames)),
            )
            for track_id, tracklet in sorted(self._tracklets.items())
            if len(tracklet.views) >= enough
        ]


@dataclass
class _Tracklet:
    """views: by frame index. label: as known so far; the tracker's last word."""

    views: dict[int, View] = field(default_factory=dict)
    label: int = -1
