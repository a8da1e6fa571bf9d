"""Annotations and results of YouTube-VIS, brought together video by video."""

import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qivis.config.typed import shown
from qivis.errors import DataError

Source = str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]]
Entries = list[Mapping[str, Any]]

OF_BOTH = frozenset({"video_id", "category_id", "segmentations"})  # what all entries have


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
        DataError: if a file cannot be read, a field is missing or not what it should be, or an
            entry is of a video that the annotations do not list.
    """
    truth, entries = _parsed(ground_truth, "annotations"), _parsed(results, "results")
    if not isinstance(truth, Mapping) or not {"videos", "categories"} <= truth.keys():
        raise DataError("annotations: expected an object with 'videos' and 'categories'")
    if not isinstance(entries, Sequence):
        raise DataError("results: expected a list of entries")
    categories = _by_id(truth, "categories")
    videos = {number: VideoEntries(video) for number, video in _by_id(truth, "videos").items()}
    for position, entry in enumerate(_listed(truth, "annotations")):
        video = _video_of(entry, OF_BOTH, videos, f"annotation {position}")
        if entry["category_id"] in categories:
            video.annotations.setdefault(entry["category_id"], []).append(entry)
    for position, entry in enumerate(entries):
        video = _video_of(entry, OF_BOTH | {"score"}, videos, f"result {position}")
        if entry["category_id"] in categories:
            video.results.setdefault(entry["category_id"], []).append(entry)
    return Comparison(list(categories), list(videos.values()))


def _parsed(source: Source, what: str) -> Any:
    if not isinstance(source, str | Path):
        return source
    try:
        return json.loads(Path(source).read_text())
    except OSError as error:
        raise DataError(f"{source}: {what} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source}: {what} are not JSON ({error})") from error


def _listed(truth: Mapping[str, Any], key: str) -> Sequence[Any]:
    listed: Sequence[Any] = truth.get(key) or []
    if not _is_list(listed):
        raise DataError(f"annotations: '{key}': expected a list, got {shown(listed)}")
    return listed


def _by_id(truth: Mapping[str, Any], key: str) -> dict[Any, Mapping[str, Any]]:
    """The videos or categories by their ids, in ascending order."""
    found = {}
    for position, entry in enumerate(_listed(truth, key)):
        if not isinstance(entry, Mapping) or not _is_id(entry.get("id")):
            raise DataError(
                f"annotations: '{key}' {position}: expected one with an id, got {shown(entry)}"
            )
        found[entry["id"]] = entry
    try:
        return {number: found[number] for number in sorted(found)}
    except TypeError as error:
        raise DataError(f"annotations: '{key}': expected ids of one kind ({error})") from error


def _video_of(
    entry: Any, needed: frozenset[str], videos: Mapping[Any, VideoEntries], what: str
) -> VideoEntries:
    if not isinstance(entry, Mapping):
        fields = ", ".join(sorted(needed))
        raise DataError(f"{what}: expected an object with {fields}, got {shown(entry)}")
    missing = needed - entry.keys()
    if missing:
        raise DataError(f"{what}: has no {', '.join(sorted(missing))}")
    for name, (expected, is_right) in _EXPECTED.items():
        if name in entry and not is_right(entry[name]):
            raise DataError(f"{what}: {name}: expected {expected}, got {shown(entry[name])}")
    if entry["video_id"] not in videos:
        raise DataError(
            f"{what}: video_id {entry['video_id']} is not among the annotations' videos"
        )
    return videos[entry["video_id"]]


def _is_id(value: Any) -> bool:
    return isinstance(value, Hashable) and value is not None


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_number(value: Any) -> bool:
    try:
        return not math.isnan(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _is_list_of_numbers(value: Any) -> bool:
    """None stands for no list, and in the list for no number."""
    return value is None or (_is_list(value) and all(v is None or _is_number(v) for v in value))


_EXPECTED: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "video_id": ("an id", _is_id),
    "category_id": ("an id", _is_id),
    "score": ("a number", _is_number),
    "segmentations": ("a list with one entry per frame", _is_list),
    "areas": ("a list of numbers", _is_list_of_numbers),
}
