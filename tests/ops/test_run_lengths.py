"""Run lengths as numbers."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from qivis.ops.run_lengths import compress, run_lengths


def compressed(lengths: list[int]) -> str:
    """pycocotools' string for given lengths."""
    rle = coco_mask.frPyObjects({"size": [sum(lengths), 1], "counts": lengths}, sum(lengths), 1)
    counts: str = rle["counts"].decode("ascii")
    return counts


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ("", []),
        ("6", [6]),
        ("123", [1, 2, 3]),
        ("0o0", [0, 31]),  # 'o' is the digit 31 with more to come, '0' says that it was all
        ("5320", [5, 3, 2, 3]),  # the fourth is the change from the second
    ],
    ids=["none", "only background", "three runs", "two digits", "a change"],
)
def test_short_strings_can_be_read_by_hand(counts: str, lengths: list[int]) -> None:
    assert run_lengths(counts).tolist() == lengths


@pytest.mark.parametrize(
    "lengths",
    [
        [0, 7],
        [15, 16, 17, 31, 32, 33],
        [5, 1000, 3, 2, 900, 1, 1024, 511],
        [0, 3840 * 2160],
        [2**30, 1, 2**30, 4, 1],
    ],
    ids=["object first", "around a digit", "rising and falling", "4K", "30 bits"],
)
def test_what_pycocotools_writes_is_read(lengths: list[int]) -> None:
    assert run_lengths(compressed(lengths)).tolist() == lengths


def test_strings_are_those_of_pycocotools() -> None:
    edges = [5, 1000, 3, 2, 900, 1, 1024, 511, 16 * 32, 1, 16 * 32**3, 2, 1, 2**29]
    rng = np.random.default_rng(0)
    several = [
        [7],
        [0, 31],
        edges,
        edges[::-1],
        [0, 3840 * 2160],
        *((2 ** rng.integers(0, 26, 12) + rng.integers(-1, 2, 12)).tolist() for _ in range(100)),
    ]
    lengths = np.array([length for one in several for length in one])
    counts = np.array([len(one) for one in several])
    assert compress(lengths, counts) == [compressed(one) for one in several]


def test_no_mask_is_no_string() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert compress(nothing, nothing) == []


def test_lengths_of_random_masks_add_up_to_their_areas() -> None:
    rng = np.random.default_rng(0)
    for share in (0.01, 0.5, 0.99):
        mask = np.asfortranarray(rng.random((37, 53)) < share, dtype=np.uint8)
        lengths = run_lengths(coco_mask.encode(mask)["counts"].decode("ascii"))
        assert lengths.sum() == mask.size
        assert lengths[1::2].sum() == mask.sum()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("1 2", "' ' is none of the characters"),
        ("12é", "'é' is none of the characters"),
        ("b'12'", '"\'" is none of the characters'),
        ("12\ud83d", "is none of the characters"),
        ("12p", "'p' is none of the characters"),
        ("12o", "break off in the middle of a number"),
        ("oooooooo0", "more than 7 digits"),
        ("12O", "run 2 has a negative length"),
        ("523L", "run 3 has a negative length"),
    ],
    ids=[
        "space",
        "not ASCII",
        "half a character",
        "bytes as text",
        "too high",
        "cut",
        "endless",
        "below 0",
        "change",
    ],
)
def test_damaged_strings_are_refused(counts: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_lengths(counts)
