"""What is a segmentation, and what would harm whoever takes it for one."""

import math
from typing import Any

import pytest

from qivis.ops.segmentations import LONGEST_OUTLINE, check_segmentation

SIZE = (4, 6)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]


@pytest.mark.parametrize(
    "segmentation",
    [
        [SQUARE],
        [SQUARE, [0.5, 0, 2, 0, 2, 2]],
        [[-3, -3, 90, 1, 3, 3]],
        {"size": [4, 6], "counts": [5, 2, 17]},
        {"size": [4, 6], "counts": [0, 24]},
        {"size": [4, 6], "counts": "52a0"},  # 5, 2 and 17: 'a' is the digit 17 with more to come
        {"size": [4, 6], "counts": b"52a0"},
    ],
    ids=["polygon", "two", "beyond the picture", "runs", "object first", "string", "bytes"],
)
def test_every_form_of_a_mask_is_one(segmentation: Any) -> None:
    check_segmentation(segmentation, SIZE)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "list of polygons or an RLE"),
        ({"size": [4, 6]}, "list of polygons or an RLE"),
        ({"size": [4, 6], "counts": 24}, "list of polygons or an RLE"),
        ([], "no polygon"),
        ([SQUARE, [1, 1, 2, 2]], "at least 3 points"),
        (SQUARE, "at least 3 points"),
        ([[*SQUARE, 1]], "a polygon of 9 numbers; expected two for every point"),
        ([[1, 1, "3", 1, 3, 3]], "no numbers"),
        ([[1, 1, True, 1, 3, 3]], "no numbers"),
        ([[1, 1, math.nan, 1, 3, 3]], "not finite"),
        ([[math.nan, 1, 10**400, 1, 3, 3]], "not finite"),
        ([[1, 1, math.inf, -math.inf, 3, 3]], "not finite"),
        ([[1, 1, 2e7, 1, 3, 3]], "beyond any picture"),
        ({"size": [6, 4], "counts": [24]}, r"of size \[6, 4\], the image is \[4, 6\]"),
        ({"size": [4.0, 6], "counts": [24]}, r"of size \[4\.0, 6\], the image"),
        ({"size": 24, "counts": [24]}, "of size 24, the image"),
        ({"size": [4, 6], "counts": []}, "do not add up to 4 x 6"),
        ({"size": [4, 6], "counts": [25]}, "do not add up to 4 x 6"),
        ({"size": [4, 6], "counts": [-1, 25]}, "not whole numbers from 0 up"),
        ({"size": [4, 6], "counts": [0.5, 23.5]}, "not whole numbers from 0 up"),
        ({"size": [4, 6], "counts": "52a1"}, "do not add up to 4 x 6"),
        ({"size": [4, 6], "counts": "52a"}, "in the middle of a number"),
        ({"size": [4, 6], "counts": "5 2"}, "none of the characters in use"),
    ],
    ids=str,
)
def test_what_is_no_mask_is_said(segmentation: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_segmentation(segmentation, SIZE)


def test_an_outline_without_end_is_refused_and_one_of_many_points_is_not() -> None:
    side = 1000
    there_and_back = [0, 0, side, side] * int(LONGEST_OUTLINE / side / 2 + 1)
    with pytest.raises(ValueError, match="longer than 10000000 pixels"):
        check_segmentation([there_and_back], SIZE)
    turns = 10_000
    round_about = [
        value
        for i in range(turns)
        for value in (side * math.cos(i / turns), side * math.sin(i / turns))
    ]
    check_segmentation([round_about], SIZE)
