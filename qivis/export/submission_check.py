"""Whether a video segmentation server will take a results file and score it as it is meant.

Asked before the upload: the servers of YouTube-VIS and OVIS allow few attempts and explain little.
The file is read entry by entry, for it may be larger than memory.
"""

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from qivis.errors import DataError
from qivis.export import submission_faults as kinds
from qivis.export.json_list import Item, JsonListError, read_list
from qivis.export.submission import RESULTS
from qivis.export.submission_entries import Expected, check_entry, is_whole, listed, place_of
from qivis.export.submission_faults import Fault, Report, collect

MOST_TRACKS = 100  # of a video and category that the official evaluation looks at
UNPACKED = {
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
}  # by every server; of other methods that is not known


def check_submission(path: Path, expected: Expected) -> Report:
    """Look for every fault of a results file.

    Args:
        path: a zip archive that holds `results.json`.
        expected: the videos and categories of the set that it is for.

    Raises:
        DataError: if the file cannot be read at all.
    """
    return collect(_check_archive(path, expected))


def _check_archive(path: Path, expected: Expected) -> Iterator[Fault]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        yield Fault(kinds.NOT_A_ZIP, path.name, str(error))
        return
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    with archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        name = _results_name(names)
        yield from _check_names(path, names, name)
        if name is not None:
            yield from _check_member(archive, name, expected)


def _results_name(names: Sequence[str]) -> str | None:
    """The file that is meant: results.json, or else what was probably put in its place."""
    nested = [name for name in names if PurePosixPath(name).name == RESULTS]
    similar = [name for name in names if name.endswith(".json")]
    candidates = [*(name for name in nested if name == RESULTS), *nested, *similar]
    return candidates[0] if candidates else None


def _check_names(path: Path, names: Sequence[str], chosen: str | None) -> Iterator[Fault]:
    if chosen != RESULTS:
        found = f"there is {chosen}" if chosen else f"there is {listed(names) or 'nothing'}"
        yield Fault(kinds.MISPLACED, path.name, found)
    if chosen is not None and len(names) > 1:
        others = list(names)
        others.remove(chosen)
        yield Fault(kinds.OTHER_FILES, path.name, f"there is also {listed(others)}")


def _check_member(archive: zipfile.ZipFile, name: str, expected: Expected) -> Iterator[Fault]:
    info = archive.getinfo(name)
    if info.flag_bits & 1 or info.compress_type not in UNPACKED:
        reason = "it is encrypted" if info.flag_bits & 1 else "it is not packed by deflate"
        yield Fault(kinds.UNREADABLE_ZIP, name, reason)
        return
    try:
        with archive.open(info) as member, io.TextIOWrapper(member, "utf-8") as stream:
            yield from _check_list(stream, name, expected)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        yield Fault(kinds.UNREADABLE_ZIP, name, f"it cannot be unpacked ({error})")


def _check_list(stream: io.TextIOWrapper, name: str, expected: Expected) -> Iterator[Fault]:
    tally = _Tally()
    try:
        for item in read_list(stream):
            yield from check_entry(item, expected)
            yield from tally.add(item)
    except JsonListError as error:
        yield Fault(kinds.BAD_JSON, name, str(error))
    else:
        yield from tally.faults(name, expected)


class _Tally:
    """What can be said only of all entries together."""

    def __init__(self) -> None:
        self._num_entries = 0
        self._tracks: Counter[tuple[int, int]] = Counter()  # by video and category
        self._seen: dict[int, int] = {}  # hash of an entry: its position

    def add(self, item: Item) -> Iterator[Fault]:
        """Take note of an entry; says so if there has been an equal one."""
        self._num_entries += 1
        entry = item.value if isinstance(item.value, dict) else {}
        video_id, category_id = entry.get("video_id"), entry.get("category_id")
        if not is_whole(video_id) or not is_whole(category_id):
            return
        self._tracks[video_id, category_id] += 1
        fingerprint = hash((video_id, category_id, repr(entry.get("segmentations"))))
        first = self._seen.setdefault(fingerprint, item.index)
        if first != item.index:
            yield Fault(kinds.REPEATED_ENTRY, place_of(item), f"the same track as entry {first}")

    def faults(self, name: str, expected: Expected) -> Iterator[Fault]:
        """What is wrong with the list, once it has been read."""
        if not self._num_entries:
            yield Fault(kinds.NO_ENTRIES, name, "there is no entry")
            return
        for (video, category), count in self._tracks.items():
            if count > MOST_TRACKS:
                found = f"{count} tracks of category {category}"
                yield Fault(kinds.TOO_MANY, f"video {video}", found)
        known = {video for video, _ in self._tracks}
        for video in expected.videos:
            if video not in known:
                yield Fault(kinds.NO_TRACKS, f"video {video}", "there is no entry of it")
