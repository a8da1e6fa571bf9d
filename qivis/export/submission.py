"""A results file as the servers of YouTube-VIS (2019, 2021, 2022) and OVIS want it.

A zip archive with `results.json` alone in it: a list with one entry per track. It is written
track by track, for a whole set with 100 tracks a video takes more than a gigabyte of JSON.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

from qivis.errors import DataError
from qivis.export.ytvis_json import TrackEntry
from qivis.files import atomic_path

RESULTS = "results.json"


def write_submission(entries: Iterable[TrackEntry], path: Path) -> int:
    """Write the archive, whole or not at all.

    Scores are written with all their digits, so that no two tracks tie that did not.

    Args:
        entries: taken one by one; what the format does not ask for is left out.
        path: where to.

    Returns:
        How many entries there were.

    Raises:
        DataError: if the archive cannot be written.
    """
    member = zipfile.ZipInfo(RESULTS)  # of a fixed date: equal results are equal files
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    number = 0
    try:
        with (
            atomic_path(path) as partial,
            zipfile.ZipFile(partial, "w") as archive,
            archive.open(member, "w", force_zip64=True) as file,
        ):
            file.write(b"[")
            for number, entry in enumerate(entries, start=1):
                file.write(b",\n" if number > 1 else b"\n")
                file.write(_encode(entry))
            file.write(b"\n]\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    return number


def _encode(entry: TrackEntry) -> bytes:
    official = {
        "video_id": entry["video_id"],
        "category_id": entry["category_id"],
        "score": entry["score"],
        "segmentations": entry["segmentations"],
    }
    return json.dumps(official, separators=(",", ":"), allow_nan=False).encode("ascii")
