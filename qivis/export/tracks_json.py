"""`tracks.json`: what was found in a clip, as a results file of YouTube-VIS with more in it.

Other exports, the review page and edits are made from this file alone.
"""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from qivis.errors import DataError
from qivis.export.ytvis_json import TrackEntry, to_entries
from qivis.files import atomic_path
from qivis.structures import Categories, Track, TrackedClip, View

VIDEO_ID = 1  # a results file of one clip; the metric's ids are numbers
TIME_DIGITS = 6  # microseconds


class ClipTrackEntry(TrackEntry):
    """One track with what the official format does not ask for; each list has T entries.

    scores, likeness: of the views, None where the object is not seen.
    times: seconds from the start of the clip, the same in all entries; None for a lost frame.
    """

    scores: list[float | None]
    likeness: list[float | None]
    times: list[float | None]


def write_tracks(clip: TrackedClip, path: Path) -> None:
    """Write the tracks as a JSON list, one line a track, whole or not at all."""
    times = written_times(clip)
    with atomic_path(path) as partial, partial.open("w", encoding="ascii") as file:
        file.write("[")
        for number, track in enumerate(clip.tracks):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(_to_entry(track, times, clip.categories), separators=(",", ":")))
        file.write("\n]\n" if clip.tracks else "]\n")


def written_times(clip: TrackedClip) -> list[float | None]:
    """Seconds from the start of the clip as files tell them: to the microsecond."""
    return [None if time is None else round(time, TIME_DIGITS) for time in clip.times]


def _to_entry(track: Track, times: list[float | None], categories: Categories) -> ClipTrackEntry:
    (entry,) = to_entries(VIDEO_ID, [track], categories)
    return ClipTrackEntry(
        **entry,
        scores=[view.score if view else None for view in track.views],
        likeness=[view.likeness if view else None for view in track.views],
        times=times,
    )


def read_tracks(
    path: Path,
    size: tuple[int, int],
    fps: Fraction,
    times: Sequence[float | None],
    categories: Categories,
) -> TrackedClip:
    """What `write_tracks` has written.

    Args:
        path: of the file.
        size, fps, categories: of the clip.
        times: of its T frames, which a file without tracks does not tell; others have their own.

    Raises:
        DataError: if the file is missing or is not what was written for this clip.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise TypeError("not a list")  # noqa: TRY301 - as bad as what the lines below meet
        tracks = tuple(_to_track(entry, categories) for entry in entries)
        own_times = entries[0]["times"] if entries else times
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: cannot be read as the tracks of a clip ({type(error).__name__}: {error}); "
            "expected what qivis-infer writes"
        ) from error
    if any(len(each) != len(times) for each in (own_times, *(track.views for track in tracks))):
        raise DataError(f"{path}: expected {len(times)} frames in every track")
    return TrackedClip(size, fps, tuple(own_times), categories, tracks)


def _to_track(entry: Mapping[str, Any], categories: Categories) -> Track:
    rows = zip(entry["segmentations"], entry["scores"], entry["likeness"], strict=True)
    views = tuple(mask and View(mask, score, likeness) for mask, score, likeness in rows)
    return Track(entry["track_id"], categories.label_of(entry["category_id"]), views)
