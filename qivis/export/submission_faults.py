"""What can be wrong with a results file, and how a person is told: where, and what to do."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_LISTED = 10
PACK = "pack it with `zip -j results.zip results.json`"


@dataclass(frozen=True)
class Kind:
    """A way of being wrong.

    name: in a few words.
    remedy: what to do.
    is_warning: whether the servers nevertheless score the file as it is meant.
    """

    name: str
    remedy: str
    is_warning: bool = False


NOT_A_ZIP = Kind("not a zip archive", PACK)
UNREADABLE_ZIP = Kind("unreadable archive", f"{PACK}, without a password")
MISPLACED = Kind("no results.json at the root of the archive", f"{PACK}; -j leaves out folders")
OTHER_FILES = Kind("more in the archive than results.json", f"remove the archive and {PACK}")
BAD_JSON = Kind(
    "not a JSON list",
    "write one list of entries with a JSON library; what follows this place has not been checked",
)
NO_ENTRIES = Kind(
    "empty list", "give at least one track: the official evaluation fails where there is none"
)
NOT_AN_ENTRY = Kind(
    "not an entry", "write objects with video_id, category_id, score and segmentations"
)
MISSING_KEY = Kind("missing key", "give every entry these four keys, spelt exactly like this")
UNKNOWN_KEY = Kind("unknown key", "leave it out; the official evaluation does not ask for it", True)
REPEATED_KEY = Kind("repeated key", "give every key of an object once; only the last one counts")
UNKNOWN_VIDEO = Kind(
    "unknown video", "use the ids of the annotation file of this set and split; see --annotations"
)
UNKNOWN_CATEGORY = Kind(
    "unknown category", "use the ids, not positions or names, of the annotation file's categories"
)
BAD_SCORE = Kind("score is not a number", "write a finite number; higher means more confident")
# The metric looks at the order of the scores alone, so that logits and percentages do no harm;
# but they may be a slip, and mixed with shares they would be one.
UNUSUAL_SCORE = Kind("score outside 0 to 1", "see that all scores are on one scale", True)
WRONG_LENGTH = Kind(
    "wrong length", "give one RLE or null for every frame of the video, in the order of its frames"
)
NOT_A_MASK = Kind(
    "not a mask", 'write null, or an RLE as {"size": [height, width], "counts": "..."}'
)
LIST_COUNTS = Kind(
    "uncompressed run lengths",
    "compress them: pycocotools.mask.frPyObjects(rle, height, width), then decode the bytes",
)
WRONG_SIZE = Kind(
    "wrong size", "scale masks to the video's original height and width before encoding"
)
BAD_COUNTS = Kind(
    "damaged run lengths",
    'encode with pycocotools.mask.encode and write rle["counts"].decode("ascii")',
)
NOTHING_SEEN = Kind("track without a pixel", "leave the entry out; it can only count as wrong")
TOO_MANY = Kind(
    "more than 100 tracks of a category in a video", "keep the best; others do not count", True
)
REPEATED_ENTRY = Kind(
    "entry given twice", "leave one out: of two equal tracks, one counts as wrong", True
)
NO_TRACKS = Kind("video without an entry", "fine if nothing was found in it", True)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong.

    place: the file, the entry (counted from 0) or the video.
    found: what is there, and what is expected.
    """

    kind: Kind
    place: str
    found: str


@dataclass(frozen=True)
class Report:
    """What a check found.

    faults: the first `MOST_LISTED` of each kind, kind by kind.
    counts: how many there are of each kind.
    """

    faults: tuple[Fault, ...]
    counts: Mapping[Kind, int]

    @property
    def is_uploadable(self) -> bool:
        """Whether there is nothing worse than warnings."""
        return all(kind.is_warning for kind in self.counts)


def collect(faults: Iterable[Fault]) -> Report:
    """A report on any number of faults, of which few are kept; what is worst comes first."""
    listed: dict[Kind, list[Fault]] = {}
    counts: Counter[Kind] = Counter()
    for fault in faults:
        counts[fault.kind] += 1
        of_kind = listed.setdefault(fault.kind, [])
        if len(of_kind) < MOST_LISTED:
            of_kind.append(fault)
    kinds = sorted(counts, key=lambda kind: kind.is_warning)
    return Report(
        faults=tuple(fault for kind in kinds for fault in listed[kind]),
        counts={kind: counts[kind] for kind in kinds},
    )


def as_text(report: Report) -> str:
    """The report to read: for every kind its number, its remedy and the places."""
    lines = []
    for kind, count in report.counts.items():
        listed = [fault for fault in report.faults if fault.kind == kind]
        lines.append(f"{'warning' if kind.is_warning else 'fault'}: {kind.name} ({count} found)")
        lines += [f"  {fault.place}: {fault.found}" for fault in listed]
        if count > len(listed):
            lines.append(f"  ... and {count - len(listed)} more")
        lines.append(f"  remedy: {kind.remedy}")
    return "\n".join(lines)
