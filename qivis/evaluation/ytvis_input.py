"""Annotations and results of YouTube-VIS, brought together video by video."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qivis.errors import DataError

Source = str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]]
Entries = list[Mapping[str, Any]]


@dataclass(frozen=True)
class VideoEntries:
    """What was annotated and what was found in one video, by category id, in their order."""

    video: Mapping[str, Any]
    annotations: dict[int, Entries] = field(default_factory=dict)
    results: dict[int, Entries] = field(default_factory=dict)

    def categories(self) -> list[int]:
        """Ids of the categories that occur, in ascending order."""
        return sorted(self.annotations.keys() | self.results.keys())


@dataclass(frozen=True)
class Comparison:
    """category_ids: K of them, ascending. videos: in the order of their ids."""

    category_ids: Sequence[int]
    videos: Sequence[VideoEntries]


def read_comparison(ground_truth: Source, results: Source) -> Comparison:
    """Annotations and results that shall be compared.

    Args:
        ground_truth: `videos`, `annotations` and `categories` in the official format, parsed or as
            the path of a JSON file.
        results: entries with `video_id`, `category_id`, `score` and `segmentations`, one RLE or
            None per frame, parsed or as the path of a JSON file. Those of categories that the
            annotations do not list are left out, as officially.

    Raises:
        DataError: if a file cannot be read, a field is missing, or an entry is of a video that the
            annotations do not list.
    """
    truth, entries = _parsed(ground_truth, "annotations"), _parsed(results, "results")
    if not isinstance(truth, Mapping) or not {"videos", "categories"} <= truth.keys():
        raise DataError("annotations: expected an object with 'videos' and 'categories'")
    if not isinstance(entries, Sequence):
        raise DataError("results: expected a list of entries")
    category_ids = sorted({category["id"] for category in truth["categories"]})
    known = frozenset(category_ids)
    videos = {video["id"]: VideoEntries(video) for video in truth["videos"]}
    needed = {"video_id", "category_id", "segmentations"}
    for position, entry in enumerate(truth.get("annotations") or []):
        video = _video_of(entry, needed, videos, f"annotation {position}")
        if entry["category_id"] in known:
            video.annotations.setdefault(entry["category_id"], []).append(entry)
    for position, entry in enumerate(entries):
        video = _video_of(entry, needed | {"score"}, videos, f"result {position}")
        if entry["category_id"] in known:
            video.results.setdefault(entry["category_id"], []).append(entry)
    return Comparison(category_ids, [videos[number] for number in sorted(videos)])


def _parsed(source: Source, what: str) -> Any:
    if not isinstance(source, str | Path):
        return source
    try:
        return json.loads(Path(source).read_text())
    except OSError as error:
        raise DataError(f"{source}: {what} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{source}: {what} are not JSON ({error})") from error


def _video_of(
    entry: Mapping[str, Any], needed: set[str], videos: Mapping[Any, VideoEntries], what: str
) -> VideoEntries:
    missing = needed - entry.keys()
    if missing:
        raise DataError(f"{what}: has no {', '.join(sorted(missing))}")
    if entry["video_id"] not in videos:
        raise DataError(
            f"{what}: video_id {entry['video_id']} is not among the annotations' videos"
        )
    return videos[entry["video_id"]]
