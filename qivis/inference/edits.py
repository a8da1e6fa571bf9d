"""Corrections of tracks by hand, each a pure function from one `TrackedClip` to the next.

What makes no sense is refused with what would. Only the standard library is imported here, so that
a command line is understood before anything slow is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from qivis.errors import ConfigError
from qivis.wording import counted, did_you_mean

if TYPE_CHECKING:
    from qivis.structures import Categories, Track, TrackedClip

NEW_LIKENESS = 1.0  # of an object that was never seen before; see `TrackedDetections`


class Edited(NamedTuple):
    """A clip after an edit, and a line that says what was done."""

    clip: TrackedClip
    said: str


@dataclass(frozen=True)
class Edit:
    """An edit as it is asked for.

    text: the words of the command line, such as `--merge 3,7`.
    function: does it.
    """

    text: str
    function: Callable[[TrackedClip], Edited]

    def apply(self, clip: TrackedClip) -> Edited:
        """Do it.

        Raises:
            ConfigError: if it makes no sense for this clip.
        """
        try:
            return self.function(clip)
        except ConfigError as error:
            raise ConfigError(f"{self.text}: {error}") from error


def merge(clip: TrackedClip, track_ids: Sequence[int]) -> Edited:
    """Make several tracks one, with the id and the class of the first of them.

    Where a frame shows more than one, the view with the best score stays; of equals, the first.

    Raises:
        ConfigError: if a track is not there, or named twice.
    """
    for track_id in track_ids:
        if track_ids.count(track_id) > 1:
            raise ConfigError(f"track {track_id} is named twice; name each track once")
    tracks = [_find(clip, track_id) for track_id in track_ids]
    rows = [[view for view in row if view] for row in zip(*(t.views for t in tracks), strict=True)]
    views = tuple(max(row, key=lambda view: view.score, default=None) for row in rows)
    merged = replace(tracks[0], views=views)
    said = f"tracks {_listed(track_ids)} are one now, {_described(merged, clip.categories)}"
    shared = sum(len(row) > 1 for row in rows)
    if shared:
        said += (
            f"; {counted(shared, 'frame')} showed more than one of them: the better score stayed"
        )
    return Edited(_with(clip, track_ids, merged), said)


def split(clip: TrackedClip, track_id: int, frame: int) -> Edited:
    """Make a track another object from a frame on, with the next id that is higher than all.

    Raises:
        ConfigError: if there is no such track or frame, or one of the halves would be empty.
    """
    track = _find(clip, track_id)
    _check_frame(clip, frame)
    length = len(track.views)
    seen = [index for index, view in enumerate(track.views) if view]
    if not seen[0] < frame <= seen[-1]:
        remedy = (
            f"choose one from {seen[0] + 1} to {seen[-1]}"
            if len(seen) > 1
            else "it cannot be split"
        )
        raise ConfigError(
            f"track {track_id} is seen in frames {seen[0]} to {seen[-1]}, so a split at {frame} "
            f"would leave one half empty; {remedy}"
        )
    new_id = max(track.track_id for track in clip.tracks) + 1
    later = [None] * frame + list(track.views[frame:])
    first = next(index for index in seen if index >= frame)
    first_view = track.views[first]
    assert first_view is not None, "it is one of those that are seen"
    later[first] = replace(first_view, likeness=NEW_LIKENESS)
    halves = (
        replace(track, views=track.views[:frame] + (None,) * (length - frame)),
        replace(track, track_id=new_id, views=tuple(later)),
    )
    said = f"track {track_id} ends before frame {frame}, and is track {new_id} from there on"
    return Edited(_with(clip, [track_id], *halves), said)


def swap(clip: TrackedClip, track_ids: tuple[int, int], frame: int) -> Edited:
    """Exchange two tracks from a frame on; each keeps its id and its class.

    Raises:
        ConfigError: if there is no such track or frame, it is the same track twice, nothing would
            change, or nothing of a track would be left.
    """
    if track_ids[0] == track_ids[1]:
        raise ConfigError(f"track {track_ids[0]} is named twice; name two tracks")
    _check_frame(clip, frame)
    one, other = (_find(clip, track_id) for track_id in track_ids)
    if not any(one.views[frame:]) and not any(other.views[frame:]):
        raise ConfigError(f"neither track is seen from frame {frame} on; choose an earlier frame")
    if not any(one.views[:frame]) and not any(other.views[:frame]):
        raise ConfigError(f"neither track is seen before frame {frame}; choose a later frame")
    swapped = (
        replace(one, views=one.views[:frame] + other.views[frame:]),
        replace(other, views=other.views[:frame] + one.views[frame:]),
    )
    for track in swapped:
        if not track.num_seen:
            raise ConfigError(
                f"nothing of track {track.track_id} would be left; merge the tracks instead"
            )
    said = f"tracks {one.track_id} and {other.track_id} are swapped from frame {frame} on"
    return Edited(_with(clip, track_ids, *swapped), said)


def drop(clip: TrackedClip, track_id: int) -> Edited:
    """Take a track out.

    Raises:
        ConfigError: if it is not there.
    """
    track = _find(clip, track_id)
    said = f"{_described(track, clip.categories)}, is dropped"
    return Edited(_with(clip, [track_id]), said)


def rename(clip: TrackedClip, track_id: int, name: str) -> Edited:
    """Give a track another class.

    Raises:
        ConfigError: if there is no such track, or the clip's categories have no such class.
    """
    track = _find(clip, track_id)
    names = clip.categories.names
    if name not in names:
        hint = f"{did_you_mean(name, names)} known: {', '.join(names)}".lstrip()
        raise ConfigError(f"there is no class {name!r}; {hint}")
    said = f"track {track_id} is of class {name}, and was of class {names[track.label]}"
    return Edited(_with(clip, [track_id], replace(track, label=names.index(name))), said)


def drop_short(clip: TrackedClip, min_frames: int) -> Edited:
    """Take out the tracks that are seen in fewer frames."""
    short = [track.track_id for track in clip.tracks if track.num_seen < min_frames]
    least = counted(min_frames, "frame")
    said = f"tracks seen in fewer than {least} dropped: {_listed(short) or 'none'}"
    return Edited(_with(clip, short), said)


def _find(clip: TrackedClip, track_id: int) -> Track:
    for track in clip.tracks:
        if track.track_id == track_id:
            return track
    known = _listed([track.track_id for track in clip.tracks])
    raise ConfigError(f"there is no track {track_id}; there are {known or 'none at all'}")


def _check_frame(clip: TrackedClip, frame: int) -> None:
    if not 0 <= frame < len(clip.times):
        raise ConfigError(
            f"there is no frame {frame}; the clip has frames 0 to {len(clip.times) - 1}"
        )


def _with(clip: TrackedClip, gone: Collection[int], *new: Track) -> TrackedClip:
    """A clip without some tracks, and with new ones, by id."""
    kept = [track for track in clip.tracks if track.track_id not in gone]
    tracks = sorted([*kept, *new], key=lambda track: track.track_id)
    return replace(clip, tracks=tuple(tracks))


def _described(track: Track, categories: Categories) -> str:
    name = categories.names[track.label]
    return f"track {track.track_id} ({name}), seen in {counted(track.num_seen, 'frame')}"


def _listed(ids: Sequence[int]) -> str:
    """Ids on a line, with those that follow one another as a range: `7, 0, 3-5`."""
    runs = [
        [track_id for _, track_id in group]
        for _, group in groupby(enumerate(ids), key=lambda place: place[1] - place[0])
    ]
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )
