"""What a review page knows, as the JSON that its scripts read (`page/clip.js`)."""

import base64
from collections.abc import Mapping, Sequence
from typing import TypedDict

from qivis.structures import Track, TrackedClip
from qivis.viz.palette import color
from qivis.viz.review.moments import Moment

SCORE_DIGITS = 3
TIME_DIGITS = 6  # microseconds


class TrackData(TypedDict):
    """A track from its first to its last view.

    first: index of the frame of the first entry of `masks` and `scores`.
    masks: compressed run lengths, null where the object is not seen.
    portrait: key of its thumbnail.
    """

    id: int
    category: str
    color: str
    score: float
    first: int
    masks: list[str | None]
    scores: list[float | None]
    portrait: str


class MomentData(TypedDict):
    """A `Moment`, with the keys of two thumbnails to compare."""

    start: int
    frame: int
    tracks: list[int]
    score: float
    reason: str
    remedy: str
    portraits: list[str]


class PageData(TypedDict):
    """A clip of T frames.

    run: the folder that edits are made to.
    size: [H, W] of its frames and masks.
    seconds: T times in the clip, null for lost frames.
    shown: T times in the page's video, null for lost frames.
    categories: names that a track can be given.
    thumbnails: key to base64 of a JPEG.
    """

    name: str
    run: str
    size: list[int]
    fps: float
    seconds: list[float | None]
    shown: list[float | None]
    categories: list[str]
    tracks: list[TrackData]
    moments: list[MomentData]
    thumbnails: dict[str, str]


def portrait_key(track_id: int, frame: int) -> str:
    """The key of the thumbnail of a track in a frame."""
    return f"{track_id}@{frame}"


def best_frame(track: Track) -> int:
    """Index of the frame that shows a track with the best score, the first of several."""
    return max(
        (frame for frame, view in enumerate(track.views) if view),
        key=lambda frame: view.score if (view := track.views[frame]) else 0,
    )


def to_track_data(track: Track, clip: TrackedClip) -> TrackData:
    """A track as its page reads it."""
    seen = [frame for frame, view in enumerate(track.views) if view]
    views = track.views[seen[0] : seen[-1] + 1]
    return TrackData(
        id=track.track_id,
        category=clip.categories.names[track.label],
        color="#{:02x}{:02x}{:02x}".format(*color(track.track_id)),
        score=round(track.score, SCORE_DIGITS),
        first=seen[0],
        masks=[view.mask["counts"] if view else None for view in views],
        scores=[round(view.score, SCORE_DIGITS) if view else None for view in views],
        portrait=portrait_key(track.track_id, best_frame(track)),
    )


def to_moment_data(moment: Moment) -> MomentData:
    """A moment as its page reads it."""
    return MomentData(
        start=moment.start,
        frame=moment.frame,
        tracks=list(moment.track_ids),
        score=round(moment.score, SCORE_DIGITS),
        reason=moment.reason,
        remedy=moment.remedy.value,
        portraits=[portrait_key(*portrait) for portrait in moment.portraits],
    )


def to_page_data(
    clip: TrackedClip,
    names: tuple[str, str],
    shown: Sequence[float | None],
    moments: Sequence[Moment],
    thumbnails: Mapping[str, bytes],
) -> PageData:
    """All that a page knows.

    Args:
        clip: what was found.
        names: of the clip, and of the folder of the run.
        shown: T times in the page's video, None for lost frames.
        moments: the most suspicious first.
        thumbnails: JPEGs by key.
    """
    name, run = names
    return PageData(
        name=name,
        run=run,
        size=list(clip.size),
        fps=float(clip.fps),
        seconds=[None if time is None else round(time, TIME_DIGITS) for time in clip.times],
        shown=[None if time is None else round(time, TIME_DIGITS) for time in shown],
        categories=list(clip.categories.names),
        tracks=[to_track_data(track, clip) for track in clip.tracks],
        moments=[to_moment_data(moment) for moment in moments],
        thumbnails={
            key: base64.b64encode(jpeg).decode("ascii") for key, jpeg in thumbnails.items()
        },
    )
