"""What is left out of a file: in which order, under which name, and with which warning."""

from pathlib import Path
from typing import Any

import pytest

from qivis.data.rejects import Reject, Sieve, UnfitError, check_entry, shown
from qivis.errors import DataError

FILE = Path("set.json")


def even(entry: dict[str, Any]) -> int:
    if entry["id"] % 2:
        raise UnfitError("is odd")
    return int(entry["id"])


def numbered(*numbers: Any) -> dict[str, Any]:
    return {"annotations": [{"id": number} for number in numbers]}


def test_what_can_be_used_is_read_and_the_rest_noted() -> None:
    sieve = Sieve(FILE, strict=False)
    assert sieve.sift(numbered(4, 3, 2, 4), "annotations", even) == [4, 2]
    assert sieve.rejects == (
        Reject("annotation", 3, "is odd"),
        Reject("annotation", 4, "its id is that of an earlier one"),
    )


def test_an_id_belongs_to_the_first_that_can_be_used() -> None:
    content = {"images": [{"id": 2, "odd": True}, {"id": 2}]}

    def read(entry: dict[str, Any]) -> dict[str, Any]:
        if "odd" in entry:
            raise UnfitError("is odd")
        return entry

    sieve = Sieve(FILE, strict=False)
    assert sieve.sift(content, "images", read) == [{"id": 2}]
    assert sieve.rejects == (Reject("image", 2, "is odd"),)


def test_ids_may_be_unique_in_a_scope_only() -> None:
    content = {"annotations": [{"id": 2, "video_id": video} for video in (0, 1, 1)]}
    sieve = Sieve(FILE, strict=False)
    assert sieve.sift(content, "annotations", even, "video_id") == [2, 2]
    assert len(sieve.rejects) == 1


def test_a_part_may_be_missing_but_is_a_list() -> None:
    sieve = Sieve(FILE, strict=False)
    assert sieve.sift({}, "annotations", even) == []
    assert sieve.sift({"annotations": None}, "annotations", even) == []
    with pytest.raises(DataError, match=r"set\.json: 'annotations' is 5, expected a list"):
        sieve.sift({"annotations": 5}, "annotations", even)


def test_the_first_is_an_error_where_that_is_asked() -> None:
    with pytest.raises(DataError, match=r"set\.json: annotation 3: is odd"):
        Sieve(FILE, strict=True).sift(numbered(4, 3, 5), "annotations", even)
    with pytest.raises(DataError, match=r"set\.json: annotation 4: its id is that of an earlier"):
        Sieve(FILE, strict=True).sift(numbered(4, 4), "annotations", even)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (7, "entry 5 of the list is 7, expected an object"),
        (None, "entry 5 of the list is None, expected an object"),
        ({}, "id of entry 5 of the list is missing, expected a number from 0 up"),
        ({"id": "7"}, "id of entry 5 of the list is '7', expected"),
        ({"id": True}, "id of entry 5 of the list is True, expected"),
        ({"id": -1}, "id of entry 5 of the list is -1, expected"),
        ({"id": 2**63}, "id of entry 5 of the list is 9223372036854775808, expected"),
        ({"id": [1]}, r"id of entry 5 of the list is \[1\], expected"),
    ],
    ids=str,
)
def test_an_entry_is_an_object_with_a_number(entry: Any, message: str) -> None:
    check_entry({"id": 2**63 - 1}, 5)
    with pytest.raises(UnfitError, match=message):
        check_entry(entry, 5)


def test_one_warning_counts_all_and_names_the_first(caplog: pytest.LogCaptureFixture) -> None:
    sieve = Sieve(FILE, strict=False)
    sieve.warn()
    assert caplog.text == ""
    sieve.sift({"images": [None]}, "images", even)
    sieve.sift(numbered(3, 5, 7, 8), "annotations", even)
    sieve.warn()
    assert [record.getMessage() for record in caplog.records] == [
        "set.json: cannot be used and left out: 1 image, 3 annotations (image None: entry 0 of the "
        "list is None, expected an object; annotation 3: is odd; annotation 5: is odd ...); "
        "tools/check_data.py lists all"
    ]


@pytest.mark.parametrize(
    "value",
    ["x" * 5000, ["x" * 5000] * 5000, "a\nb\ud800", 10**400, [[[[[[[]]]]]]]],
    ids=["long", "longer", "odd characters", "huge", "deep"],
)
def test_any_value_is_shown_in_some_characters_of_one_line(value: Any) -> None:
    text = shown(value)
    assert len(text) < 500
    assert "\n" not in text
    text.encode()
