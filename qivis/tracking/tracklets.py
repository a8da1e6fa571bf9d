"""Tracks of a whole video, gathered frame by frame as run lengths: dense masks outlive no frame."""

from dataclasses import dataclass, field

from qivis.ops import rle
from qivis.ops.rle import Rle
from qivis.structures import Track, TrackedDetections


class TrackletCollector:
    """Gathers the tracks of one video.

    min_frames: tracks seen in fewer frames are left out, unless the video itself is shorter.
    """

    def __init__(self, min_frames: int) -> None:
        self._min_frames = min_frames
        self._num_frames = 0
        self._tracklets: dict[int, _Tracklet] = {}

    def add(self, tracked: TrackedDetections) -> None:
        """Take the objects of the next frame; one without a pixel counts as unseen."""
        rows = zip(
            tracked.track_ids.tolist(),
            tracked.labels.tolist(),
            tracked.scores.tolist(),
            rle.encode(tracked.masks),
            strict=True,
        )
        for track_id, label, score, mask in rows:
            if rle.area(mask) == 0:
                continue
            tracklet = self._tracklets.setdefault(track_id, _Tracklet())
            tracklet.masks[self._num_frames] = mask
            tracklet.score_sum += score
            tracklet.label = label
        self._num_frames += 1

    def tracks(self) -> list[Track]:
        """The tracks of all T frames so far, by id; a track's label is its last frame's."""
        enough = min(self._min_frames, self._num_frames)
        return [
            Track(
                track_id=track_id,
                label=tracklet.label,
                score=tracklet.score_sum / len(tracklet.masks),
                masks=tuple(tracklet.masks.get(index) for index in range(self._num_frames)),
            )
            for track_id, tracklet in sorted(self._tracklets.items())
            if len(tracklet.masks) >= enough
        ]


@dataclass
class _Tracklet:
    """masks: by frame index. label: as known so far; the tracker's last word."""

    masks: dict[int, Rle] = field(default_factory=dict)
    score_sum: float = 0.0
    label: int = -1
