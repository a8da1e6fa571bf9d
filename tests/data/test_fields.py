"""Single values of annotation files: what they may be, and what is said of the others."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from qivis.data.fields import (
    check_area,
    check_areas,
    check_box,
    check_file_name,
    check_flag,
    check_frames,
    check_listed,
    check_mask,
    check_number,
    check_size,
    check_text,
    is_numbers,
    to_mask,
)
from qivis.data.rejects import UnfitError
from qivis.ops import rle

POLYGON = [[1, 1, 3, 1, 3, 3, 1, 3]]


@pytest.mark.parametrize(
    "name", ["a.jpg", "train/a b.jpg", "./a.jpg", "a..b/..c.jpg", "odd\\name.jpg", "é" * 3000]
)
def test_names_inside_the_folder_are_fine(name: str) -> None:
    check_file_name(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/etc/a.jpg", "one inside the data folder"),
        ("../a.jpg", "one inside the data folder"),
        ("train/../../a.jpg", "one inside the data folder"),
        ("train/..", "one inside the data folder"),
        ("..\\a.jpg", "one inside the data folder"),
        ("C:\\a.jpg", "one inside the data folder"),
        ("c:a.jpg", "one inside the data folder"),
        ("\\\\host\\share\\a.jpg", "one inside the data folder"),
        ("a\0.jpg", "text without NUL"),
        ("\ud800.jpg", "text without NUL"),
        ("", "text without NUL"),
        (7, "text without NUL"),
        (["a.jpg"], "text without NUL"),
    ],
    ids=repr,
)
def test_names_that_lead_out_of_the_folder_are_refused(name: Any, expected: str) -> None:
    with pytest.raises(UnfitError, match=rf"file name is .*, expected {expected}"):
        check_file_name(name)


CHECKS: dict[str, tuple[Callable[[Any], object], list[Any], list[Any], str]] = {
    "text": (
        lambda value: check_text({"name": value}, "name"),
        ["cat", " "],
        ["", 5, [], "\ud83d"],
        "name is .*, expected text",
    ),
    "number": (
        lambda value: check_number({"frame_id": value}, "frame_id"),
        [0, 2**31, 2**63 - 1],
        [-1, 2**63, 1.0, True, "1", math.nan],
        "frame_id is .*, expected a whole number from 0 up",
    ),
    "reference": (
        lambda value: check_listed({"image_id": value}, "image_id", {1, 2**40}),
        [1, 2**40],
        [2, 1.0, True, "1", [1]],
        "image_id is .*, which the file lacks or which is left out",
    ),
    "flag": (
        lambda value: check_flag({"iscrowd": value}, "iscrowd"),
        [0, 1, True, False, None],
        [2, -1, 0.0, "no", [], math.nan],
        "iscrowd is .*, expected 0 or 1",
    ),
    "area": (
        lambda value: check_area({"area": value}),
        [1, 0.25],
        [0, -3, math.nan, math.inf, 10**400, "4", True],
        "area is .*, expected a number above 0",
    ),
    "areas": (
        lambda value: check_areas([None, 0, value]),
        [None, 0, 4.5],
        [-1, math.nan, math.inf, "4", []],
        "area in frame 2 is .*, expected a number from 0 up",
    ),
    "side": (
        lambda value: check_size({"height": value, "width": 4}),
        [1, 5000],
        [0, -4, 4.0, "4", True, math.nan],
        "height is .*, expected a whole number from 1 up",
    ),
    "frames": (
        lambda value: check_frames({"areas": value}, "areas", 2),
        [[1, None]],
        [[], [1], [1, 2, 3], "ab", {"a": 1, "b": 2}],
        "areas is .*, but its video has 2 frames",
    ),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_values_are_what_they_must_be(kind: str) -> None:
    check, fine, wrong, message = CHECKS[kind]
    for value in fine:
        check(value)
    for value in wrong:
        with pytest.raises(UnfitError, match=message):
            check(value)


@pytest.mark.parametrize("kind", ["text", "number", "reference", "area", "side", "frames"])
def test_what_is_missing_is_said(kind: str) -> None:
    with pytest.raises(UnfitError, match=r"is missing$"):
        CHECKS[kind][0](None)


def test_a_picture_has_a_size_that_can_be_read() -> None:
    assert check_size({"height": 4, "width": 6}) == (4, 6)
    with pytest.raises(UnfitError, match="size is 1000000 x 1000, expected at most 268435456 pix"):
        check_size({"height": 1000, "width": 1_000_000})


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([1, 1, 2], "expected 4 numbers"),
        ("1112", "expected 4 numbers"),
        ([1, 1, math.nan, 2], "expected 4 numbers"),
        ([1, 1, 10**400, 2], "expected 4 numbers"),
        ([1, 1, 0, 2], "expected a width and a height above 0"),
        ([1, 1, 2, -2], "expected a width and a height above 0"),
        ([6, 1, 2, 2], "outside the picture of 6 x 4"),
        ([1, -2, 2, 2], "outside the picture of 6 x 4"),
    ],
    ids=str,
)
def test_a_box_shows_something_of_the_picture(box: Any, message: str) -> None:
    check_box([-1, -1, 1.5, 1.5], (4, 6))
    with pytest.raises(UnfitError, match=rf"bbox is .*, {message}"):
        check_box(box, (4, 6))


def test_numbers_are_counted_and_lie_not_beyond_any_picture() -> None:
    assert is_numbers([1, -2.5], 2)
    assert not is_numbers([1, 2], 3)
    assert not is_numbers((1, 2), 2)
    assert not is_numbers([1, 1e8], 2)


def test_a_mask_is_read_and_a_wrong_one_is_named() -> None:
    assert rle.to_box(to_mask(POLYGON, (4, 6))) == [1, 1, 2, 2]
    check_mask(POLYGON, (4, 6))
    for wrong in ([], [3, 4], [[1, 1]], {"size": [4, 5], "counts": [20]}):
        with pytest.raises(UnfitError, match=r"^frame 7: "):
            to_mask(wrong, (4, 6), "frame 7")
        with pytest.raises(UnfitError, match=r"^segmentation: "):
            check_mask(wrong, (4, 6))
