"""Single entries of a results file, each wrong in one way."""

import json
from typing import Any

import pytest

from qivis.export.json_list import Item
from qivis.export.submission_entries import (
    Expected,
    VideoShape,
    check_entry,
    is_whole,
    listed,
    place_of,
)

# 3 x 2 pixels; column by column 0 1 1 0 0 0: runs 1 2 3, each one character of value + 48.
MASK = {"size": [3, 2], "counts": "123"}
EMPTY = {"size": [3, 2], "counts": "6"}
ENTRY = {"video_id": 7, "category_id": 2, "score": 0.5, "segmentations": [MASK, None, EMPTY]}
EXPECTED = Expected({7: VideoShape(3, (3, 2)), 8: VideoShape(1, (3, 2))}, {1, 2})


def faults_of(value: Any, repeated: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Names of the kinds, and what was found."""
    item = Item(4, json.loads(json.dumps(value)), repeated)
    faults = list(check_entry(item, EXPECTED))
    assert {fault.place for fault in faults} <= {place_of(item)}
    return [(fault.kind.name, fault.found) for fault in faults]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in ENTRY.items() if name != key}


def with_mask(mask: Any) -> dict[str, Any]:
    return ENTRY | {"segmentations": [MASK, mask, None]}


def test_a_right_entry_has_no_fault() -> None:
    assert faults_of(ENTRY) == []
    for score in (0, 1, 1e-300):
        assert faults_of(ENTRY | {"score": score}) == []


@pytest.mark.parametrize("key", ENTRY)
def test_every_key_is_needed(key: str) -> None:
    assert faults_of(without(key)) == [("missing key", f"no {key!r}")]


def test_a_misspelt_key_is_guessed() -> None:
    assert faults_of(without("segmentations") | {"segmentation": [MASK]}) == [
        ("missing key", "no 'segmentations'; did you mean it by 'segmentation'?"),
        ("unknown key", "'segmentation'"),
    ]


def test_what_comes_besides_is_a_warning() -> None:
    (fault,) = check_entry(Item(0, ENTRY | {"track_id": 3}, ()), EXPECTED)
    assert fault.kind.name == "unknown key"
    assert fault.kind.is_warning


def test_repeated_keys_are_faults() -> None:
    assert faults_of(ENTRY, repeated=("score",)) == [
        ("repeated key", "'score' more than once in one object")
    ]


@pytest.mark.parametrize("value", [[ENTRY], None, 3, "entry"])
def test_an_entry_is_an_object(value: Any) -> None:
    ((kind, found),) = faults_of(value)
    assert kind == "not an entry"
    assert found.startswith("expected an object, found ")


@pytest.mark.parametrize("video_id", [9, "7", 7.0, None, True, [7]], ids=repr)
def test_a_video_is_named_as_the_annotations_name_it(video_id: Any) -> None:
    assert faults_of(ENTRY | {"video_id": video_id}) == [
        ("unknown video", f"video_id {video_id!r} is not among the 2 videos")
    ]


@pytest.mark.parametrize("category_id", [0, 3, "2", 2.0, True, None, {}], ids=repr)
def test_a_category_is_named_as_the_annotations_name_it(category_id: Any) -> None:
    assert faults_of(ENTRY | {"category_id": category_id}) == [
        ("unknown category", f"category_id {category_id!r} is not among 1, 2")
    ]


@pytest.mark.parametrize(
    "score",
    [float("nan"), float("inf"), float("-inf"), "0.5", None, True, [0.5]],
    ids=repr,
)
def test_a_score_is_a_finite_number(score: Any) -> None:
    assert faults_of(ENTRY | {"score": score}) == [("score is not a number", f"score is {score!r}")]


@pytest.mark.parametrize("score", [-0.1, 1.0001, 95, 10**400], ids=["below", "above", "%", "huge"])
def test_a_score_on_another_scale_is_a_warning(score: float) -> None:
    (fault,) = check_entry(Item(0, ENTRY | {"score": score}, ()), EXPECTED)
    assert fault.kind.name == "score outside 0 to 1"
    assert fault.kind.is_warning


@pytest.mark.parametrize("number", [0, 2, 4])
def test_there_is_one_segmentation_a_frame(number: int) -> None:
    (kind, found), *_ = faults_of(ENTRY | {"segmentations": [MASK] * number})
    assert kind == "wrong length"
    assert found == f"{number} segmentations, but the video has 3 frames"


def test_frames_of_an_unknown_video_are_not_counted_but_their_masks_looked_at() -> None:
    stretched = ENTRY | {"video_id": 9, "segmentations": [MASK] * 5}
    assert [kind for kind, _ in faults_of(stretched)] == ["unknown video"]
    damaged = stretched | {"segmentations": [{"size": [4, 4], "counts": "123"}]}
    assert [kind for kind, _ in faults_of(damaged)] == ["unknown video", "damaged run lengths"]


@pytest.mark.parametrize("masks", [None, MASK, "123"], ids=["null", "one mask", "text"])
def test_segmentations_are_a_list(masks: Any) -> None:
    ((kind, found),) = faults_of(ENTRY | {"segmentations": masks})
    assert kind == "not a mask"
    assert found.startswith("expected a list of segmentations, one per frame, found ")


@pytest.mark.parametrize(
    ("mask", "kind", "found"),
    [
        ([[0, 0, 2, 0, 2, 2]], "not a mask", "frame 1: found [[0, 0, 2, 0, 2, 2]]"),
        ([], "not a mask", "frame 1: found []"),
        ({}, "not a mask", "frame 1: found {}"),
        (False, "not a mask", "frame 1: found False"),
        ({"counts": "123"}, "not a mask", "frame 1: found {'counts': '123'}"),
        ({"size": [3, 2]}, "not a mask", "frame 1: found {'size': [3, 2]}"),
        (MASK | {"counts": None}, "not a mask", "frame 1: counts are None, expected a string"),
        (MASK | {"size": "3x2"}, "not a mask", "frame 1: size is '3x2', expected [height, width]"),
        (
            MASK | {"size": [3, 2.0]},
            "not a mask",
            "frame 1: size is [3, 2.0], expected [height, width]",
        ),
        (
            MASK | {"counts": [1, 2, 3]},
            "uncompressed run lengths",
            "frame 1: counts are a list of 3 numbers",
        ),
        (
            MASK | {"size": [6, 4]},
            "wrong size",
            "frame 1: size is [6, 4], the video's is [3, 2]",
        ),
        (
            MASK | {"size": [2, 3]},
            "wrong size",
            "frame 1: size is [2, 3], width first, the video's is [3, 2]",
        ),
        (
            MASK | {"counts": "b'123'"},
            "damaged run lengths",
            'frame 1: counts "b\'123\'": "\'" is none of the characters in use',
        ),
        (
            MASK | {"counts": "124"},
            "damaged run lengths",
            "frame 1: run lengths add up to 7, not to 3 x 2 pixels",
        ),
        (
            MASK | {"counts": ""},
            "damaged run lengths",
            "frame 1: run lengths add up to 0, not to 3 x 2 pixels",
        ),
    ],
    ids=[
        *("polygon", "empty list", "empty object", "false", "no size", "no counts"),
        *("null counts", "text size", "fraction", "numbers", "other size", "swapped", "bytes"),
        *("too many pixels", "no pixels"),
    ],
)
def test_a_mask_is_a_compressed_rle_of_the_video_s_size(mask: Any, kind: str, found: str) -> None:
    assert faults_of(with_mask(mask)) == [(kind, found)]


def test_equal_faults_of_a_track_are_said_once() -> None:
    small = {"size": [1, 1], "counts": "1"}
    numbers = MASK | {"counts": [1, 2, 3]}
    assert faults_of(ENTRY | {"segmentations": [small, numbers, small]}) == [
        ("wrong size", "frame 0: size is [1, 1], the video's is [3, 2]; so are 1 more frames"),
        ("uncompressed run lengths", "frame 1: counts are a list of 3 numbers"),
    ]


@pytest.mark.parametrize("masks", [[None] * 3, [EMPTY, None, EMPTY]], ids=["null", "no pixel"])
def test_a_track_is_seen_somewhere(masks: list[Any]) -> None:
    assert faults_of(ENTRY | {"segmentations": masks}) == [
        ("track without a pixel", "every segmentation is null or empty")
    ]


def test_everything_that_is_wrong_is_said() -> None:
    worst = {"video_id": 9, "category_id": 9, "score": "9", "segmentations": [[]], "x": 0}
    assert [kind for kind, _ in faults_of(worst, ("x",))] == [
        *("repeated key", "unknown key", "unknown video", "unknown category"),
        *("score is not a number", "not a mask"),
    ]


def test_an_entry_is_named_by_position_and_video() -> None:
    assert place_of(Item(4, ENTRY, ())) == "entry 4 (video 7)"
    assert place_of(Item(4, {}, ())) == place_of(Item(4, [], ())) == "entry 4"


def test_whole_numbers_are_no_truth_values() -> None:
    assert is_whole(0)
    assert not is_whole(False)
    assert not is_whole(1.0)


def test_long_lists_are_cut() -> None:
    assert listed([1, 2, 3]) == "1, 2, 3"
    assert listed([1, 2, 3], most=2) == "1, 2 and 1 more"
