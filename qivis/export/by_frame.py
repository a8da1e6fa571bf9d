"""Tracks, looked at frame by frame: most formats list the objects of each picture."""

from qivis.structures import Track, TrackedClip, View


def objects_in(clip: TrackedClip, frame: int) -> list[tuple[Track, View]]:
    """The objects that a frame shows, by id; none in a frame that could not be decoded."""
    return [(track, view) for track in clip.tracks if (view := track.views[frame])]
