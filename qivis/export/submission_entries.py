"""What can be wrong with a single entry of a results file."""

import difflib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from qivis.export import submission_faults as kinds
from qivis.export.json_list import Item
from qivis.export.submission_faults import Fault, Kind
from qivis.ops.run_lengths import run_lengths

KEYS = ("video_id", "category_id", "score", "segmentations")


@dataclass(frozen=True)
class VideoShape:
    """What the masks of a video must fit.

    num_frames: T.
    size: (H, W) of its frames, in pixels.
    """

    num_frames: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Expected:
    """What the results may speak of: videos by id, and the ids of the categories."""

    videos: Mapping[int, VideoShape]
    category_ids: Collection[int]


def check_entry(item: Item, expected: Expected) -> Iterator[Fault]:
    """Everything that is wrong with an entry by itself.

    Args:
        item: the entry as it was read.
        expected: what it may speak of.
    """
    place, entry = place_of(item), item.value
    for key in item.repeated:
        yield Fault(kinds.REPEATED_KEY, place, f"{key!r} more than once in one object")
    if not isinstance(entry, dict):
        yield Fault(kinds.NOT_AN_ENTRY, place, f"expected an object, found {_short(entry)}")
        return
    yield from _check_keys(entry, place)
    video_id = entry.get("video_id")
    video = expected.videos.get(video_id) if is_whole(video_id) else None
    if "video_id" in entry and video is None:
        found = f"video_id {_short(video_id)} is not among the {len(expected.videos)} videos"
        yield Fault(kinds.UNKNOWN_VIDEO, place, found)
    if "category_id" in entry:
        yield from _check_category(entry["category_id"], expected.category_ids, place)
    if "score" in entry:
        yield from _check_score(entry["score"], place)
    if "segmentations" in entry:
        yield from _check_track(entry["segmentations"], video, place)


def place_of(item: Item) -> str:
    """How messages name an entry."""
    video = item.value.get("video_id") if isinstance(item.value, dict) else None
    return f"entry {item.index}" + (f" (video {_short(video)})" if video is not None else "")


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number; to Python, true and false are, too."""
    return isinstance(value, int) and not isinstance(value, bool)


def listed(values: Sequence[Any], most: int = 10) -> str:
    """The first few of some values, and how many more there are."""
    shown = ", ".join(map(str, values[:most]))
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"


def _check_keys(entry: Mapping[str, Any], place: str) -> Iterator[Fault]:
    unknown = [key for key in entry if key not in KEYS]
    for key in KEYS:
        if key not in entry:
            close = difflib.get_close_matches(key, unknown, n=1)
            hint = f"; did you mean it by {close[0]!r}?" if close else ""
            yield Fault(kinds.MISSING_KEY, place, f"no {key!r}{hint}")
    for key in unknown:
        yield Fault(kinds.UNKNOWN_KEY, place, repr(key))


def _check_category(category_id: Any, known: Collection[int], place: str) -> Iterator[Fault]:
    if not is_whole(category_id) or category_id not in known:
        found = f"category_id {_short(category_id)} is not among {listed(sorted(known))}"
        yield Fault(kinds.UNKNOWN_CATEGORY, place, found)


def _check_score(score: Any, place: str) -> Iterator[Fault]:
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    if not is_number or not abs(score) < math.inf:  # of NaN, nothing is true
        yield Fault(kinds.BAD_SCORE, place, f"score is {_short(score)}")
    elif not 0 <= score <= 1:
        yield Fault(kinds.UNUSUAL_SCORE, place, f"score is {_short(score)}")


def _check_track(masks: Any, video: VideoShape | None, place: str) -> Iterator[Fault]:
    """One fault of each kind; of which frames there are more is said there."""
    if not isinstance(masks, list):
        found = f"expected a list of segmentations, one per frame, found {_short(masks)}"
        yield Fault(kinds.NOT_A_MASK, place, found)
        return
    if video is not None and len(masks) != video.num_frames:
        found = f"{len(masks)} segmentations, but the video has {video.num_frames} frames"
        yield Fault(kinds.WRONG_LENGTH, place, found)
    wrong: dict[Kind, list[str]] = {}
    seen = False
    for frame, mask in enumerate(masks):
        if mask is None:
            continue
        try:
            seen |= _num_pixels(mask, video) > 0
        except _BadMaskError as error:
            wrong.setdefault(error.kind, []).append(f"frame {frame}: {error}")
    for kind, frames in wrong.items():
        more = f"; so are {len(frames) - 1} more frames" if len(frames) > 1 else ""
        yield Fault(kind, place, frames[0] + more)
    if not seen and not wrong:
        yield Fault(kinds.NOTHING_SEEN, place, "every segmentation is null or empty")


class _BadMaskError(Exception):
    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def _num_pixels(mask: Any, video: VideoShape | None) -> int:
    """How many pixels a mask has.

    Raises:
        _BadMaskError: if it is not as it should be.
    """
    if not isinstance(mask, dict) or not {"size", "counts"} <= mask.keys():
        raise _BadMaskError(kinds.NOT_A_MASK, f"found {_short(mask)}")
    size, counts = mask["size"], mask["counts"]
    if isinstance(counts, list):
        raise _BadMaskError(kinds.LIST_COUNTS, f"counts are a list of {len(counts)} numbers")
    if not isinstance(counts, str):
        raise _BadMaskError(kinds.NOT_A_MASK, f"counts are {_short(counts)}, expected a string")
    height, width = _checked_size(size, video)
    try:
        lengths = run_lengths(counts)
    except ValueError as error:
        raise _BadMaskError(kinds.BAD_COUNTS, f"counts {_short(counts)}: {error}") from error
    total = int(lengths.sum())
    if total != height * width:
        raise _BadMaskError(
            kinds.BAD_COUNTS, f"run lengths add up to {total}, not to {height} x {width} pixels"
        )
    return int(lengths[1::2].sum())


def _checked_size(size: Any, video: VideoShape | None) -> tuple[int, int]:
    if not isinstance(size, list) or len(size) != 2 or not all(map(is_whole, size)):
        raise _BadMaskError(kinds.NOT_A_MASK, f"size is {_short(size)}, expected [height, width]")
    height, width = size
    if video is not None and (height, width) != video.size:
        swapped = ", width first" if (width, height) == video.size else ""
        raise _BadMaskError(
            kinds.WRONG_SIZE, f"size is {size}{swapped}, the video's is {list(video.size)}"
        )
    return height, width


def _short(value: Any, most: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
