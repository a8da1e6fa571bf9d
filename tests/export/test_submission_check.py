"""Whole results files: archives and lists that are wrong in one way each."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pycocotools import mask as coco_mask

from qivis.errors import DataError
from qivis.export.submission_check import check_submission
from qivis.export.submission_entries import Expected, VideoShape
from qivis.export.submission_faults import OTHER_FILES, Report

MASK = {"size": [3, 2], "counts": "123"}
ENTRY = {"video_id": 7, "category_id": 2, "score": 0.5, "segmentations": [MASK]}
EXPECTED = Expected({7: VideoShape(1, (3, 2)), 8: VideoShape(1, (3, 2))}, {1, 2})
LIST = json.dumps([ENTRY, ENTRY | {"video_id": 8}])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.zip"


def pack(path: Path, members: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def check(path: Path, members: dict[str, str | bytes]) -> Report:
    pack(path, members)
    return check_submission(path, EXPECTED)


def check_entries(path: Path, entries: list[Any]) -> Report:
    return check(path, {"results.json": json.dumps(entries)})


def names(report: Report) -> list[str]:
    return [fault.kind.name for fault in report.faults]


def test_a_right_file_has_no_fault(path: Path) -> None:
    assert names(check(path, {"results.json": LIST})) == []
    pack(path, {"results.json": LIST}, zipfile.ZIP_STORED)
    assert names(check_submission(path, EXPECTED)) == []


def test_a_file_that_does_not_exist_is_an_error(path: Path) -> None:
    with pytest.raises(DataError, match=r"results\.zip: cannot be read \(No such file"):
        check_submission(path, EXPECTED)


def test_a_json_file_is_no_archive(path: Path) -> None:
    path.write_text(LIST)
    report = check_submission(path, EXPECTED)
    assert names(report) == ["not a zip archive"]
    assert "zip -j results.zip results.json" in report.faults[0].kind.remedy


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, "there is nothing"),
        ({"readme.txt": "x"}, "there is readme.txt"),
        ({"valid/results.json": LIST}, "there is valid/results.json"),
        ({"valid/": "", "valid/results.json": LIST}, "there is valid/results.json"),
        ({"result.json": LIST}, "there is result.json"),
        ({"result.json": "[1]", "a/results.json": LIST}, "there is a/results.json"),
        ({"Results.json": LIST}, "there is Results.json"),
    ],
    ids=["empty", "other", "folder", "folder entry", "other name", "two", "capital"],
)
def test_results_json_lies_at_the_root(
    path: Path, members: dict[str, str | bytes], found: str
) -> None:
    fault, *others = check(path, members).faults
    assert [other.kind for other in others] in ([], [OTHER_FILES])
    assert fault.kind.name == "no results.json at the root of the archive"
    assert (fault.place, fault.found) == ("results.zip", found)


def test_results_in_a_folder_are_looked_at_all_the_same(path: Path) -> None:
    report = check(path, {"valid/results.json": "[1]"})
    assert names(report)[1:] == ["not an entry", *["video without an entry"] * 2]


def test_other_files_beside_the_results_are_a_fault(path: Path) -> None:
    report = check(path, {"a.json": "[1]", "results.json": LIST, "__MACOSX/._results.json": ""})
    (fault,) = report.faults
    assert fault.kind.name == "more in the archive than results.json"
    assert fault.found == "there is also a.json, __MACOSX/._results.json"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_results_are_a_fault(path: Path) -> None:
    pack(path, {"results.json": LIST})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("results.json", LIST)
    (fault,) = check_submission(path, EXPECTED).faults
    assert fault.found == "there is also results.json"


def test_an_archive_that_is_damaged_inside_is_a_fault(path: Path) -> None:
    pack(path, {"results.json": LIST}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6", 1))
    (fault,) = check_submission(path, EXPECTED).faults
    assert fault.kind.name == "unreadable archive"
    assert "Bad CRC-32" in fault.found


def test_an_archive_with_a_password_is_a_fault(path: Path) -> None:
    pack(path, {"results.json": LIST})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[6] |= 1  # the flag `encrypted`, before the file and in the directory
    content[directory + 8] |= 1
    path.write_bytes(content)
    (fault,) = check_submission(path, EXPECTED).faults
    assert (fault.kind.name, fault.found) == ("unreadable archive", "it is encrypted")


def test_an_archive_that_not_everybody_can_unpack_is_a_fault(path: Path) -> None:
    pack(path, {"results.json": LIST}, zipfile.ZIP_LZMA)
    (fault,) = check_submission(path, EXPECTED).faults
    assert fault.found == "it is not packed by deflate"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "character 0: expected a list, which begins with '['; found the end"),
        (json.dumps({"results": [ENTRY]}), "character 0: expected a list"),
        (LIST[:-1], f"character {len(LIST) - 1}: expected ',' or ']' after entry 1"),
        (LIST + "]", f"character {len(LIST)}: there is more behind the end"),
        ("\ufeff" + LIST, "character 0: expected a list"),
        (LIST.replace('"score"', "score", 1), "character 35: Expecting property name"),
        (LIST.encode("utf-16"), "character 0: not UTF-8"),
    ],
    ids=["empty", "an object", "cut", "two lists", "byte order mark", "no quotes", "UTF-16"],
)
def test_damaged_json_is_a_fault_with_its_place(path: Path, text: str | bytes, found: str) -> None:
    (fault,) = check(path, {"results.json": text}).faults
    assert (fault.kind.name, fault.place) == ("not a JSON list", "results.json")
    assert fault.found.startswith(found)


def test_entries_before_the_damage_are_checked(path: Path) -> None:
    wrong = json.dumps(ENTRY | {"score": None})
    assert names(check(path, {"results.json": f"[{wrong}, oh]"})) == [
        "score is not a number",
        "not a JSON list",
    ]


def test_an_empty_list_is_a_fault(path: Path) -> None:
    (fault,) = check_entries(path, []).faults
    assert fault.kind.name == "empty list"
    assert not fault.kind.is_warning


def test_repeated_keys_and_nan_are_seen_in_the_file_itself(path: Path) -> None:
    twice = LIST.replace('"counts": "123"', '"counts": "6", "counts": "123"', 1)
    (fault,) = check(path, {"results.json": twice}).faults
    assert (fault.kind.name, fault.place) == ("repeated key", "entry 0 (video 7)")
    (fault,) = check(path, {"results.json": LIST.replace("0.5", "NaN", 1)}).faults
    assert (fault.kind.name, fault.found) == ("score is not a number", "score is nan")
    (fault,) = check(path, {"results.json": LIST.replace("0.5", "1e999", 1)}).faults
    assert fault.found == "score is inf"


def test_videos_without_entries_are_a_warning(path: Path) -> None:
    report = check_entries(path, [ENTRY])
    (fault,) = report.faults
    assert (fault.kind.name, fault.place) == ("video without an entry", "video 8")
    assert report.is_uploadable


def test_more_tracks_than_count_are_a_warning(path: Path) -> None:
    wide = Expected({7: VideoShape(1, (1, 200))}, {1, 2})
    masks = [{"size": [1, 200], "counts": runs} for runs in single_pixels(200)]
    hundred = [ENTRY | {"segmentations": [mask]} for mask in masks[:100]]
    others = [ENTRY | {"category_id": 1, "segmentations": [mask]} for mask in masks[:100]]
    pack(path, {"results.json": json.dumps(hundred + others)})
    assert names(check_submission(path, wide)) == []
    one_more = ENTRY | {"segmentations": [masks[100]]}
    pack(path, {"results.json": json.dumps([*hundred, *others, one_more])})
    report = check_submission(path, wide)
    (fault,) = report.faults
    assert (fault.place, fault.found) == ("video 7", "101 tracks of category 2")
    assert report.is_uploadable


def single_pixels(width: int) -> list[str]:
    """Counts of masks of one row, each with one other pixel."""
    lengths = [[i, 1, width - 1 - i] for i in range(width)]
    rles = coco_mask.frPyObjects(
        [{"size": [1, width], "counts": runs} for runs in lengths], 1, width
    )
    return [rle["counts"].decode("ascii") for rle in rles]


def test_an_entry_that_is_given_twice_is_a_warning(path: Path) -> None:
    again = ENTRY | {"score": 0.25}
    other_class = ENTRY | {"category_id": 1}
    report = check_entries(path, [ENTRY, other_class, ENTRY | {"video_id": 8}, again])
    (fault,) = report.faults
    assert (fault.kind.name, fault.place) == ("entry given twice", "entry 3 (video 7)")
    assert fault.found == "the same track as entry 0"
    assert report.is_uploadable


def test_every_entry_is_looked_at(path: Path) -> None:
    report = check_entries(path, [ENTRY | {"score": None}] * 30)
    counts = {kind.name: count for kind, count in report.counts.items()}
    assert counts["score is not a number"] == 30
    assert len([name for name in names(report) if name == "score is not a number"]) == 10
