import json
from pathlib import Path
from typing import Any

import pytest

from qivis.errors import DataError
from qivis.evaluation.ytvis_input import read_comparison

TRUTH: dict[str, Any] = {
    "videos": [{"id": 8}, {"id": 7}],
    "categories": [{"id": 9}, {"id": 3}],
    "annotations": [
        {"id": 1, "video_id": 7, "category_id": 3, "segmentations": []},
        {"id": 2, "video_id": 7, "category_id": 9, "segmentations": []},
        {"id": 3, "video_id": 7, "category_id": 3, "segmentations": []},
    ],
}
RESULT: dict[str, Any] = {"video_id": 8, "category_id": 9, "score": 0.5, "segmentations": []}


def test_entries_lie_by_video_and_category_in_their_order() -> None:
    comparison = read_comparison(TRUTH, [RESULT])
    assert comparison.category_ids == [3, 9]
    first, second = comparison.videos
    assert (first.video["id"], first.results, first.categories()) == (7, {}, [3, 9])
    assert [annotation["id"] for annotation in first.annotations[3]] == [1, 3]
    assert (second.annotations, second.results, second.categories()) == ({}, {9: [RESULT]}, [9])


def test_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    (tmp_path / "results.json").write_text(json.dumps([RESULT]))
    read = read_comparison(tmp_path / "truth.json", str(tmp_path / "results.json"))
    assert read == read_comparison(TRUTH, [RESULT])


def test_entries_of_unlisted_categories_are_left_out() -> None:
    truth = TRUTH | {"categories": [{"id": 9}]}
    comparison = read_comparison(truth, [RESULT, RESULT | {"category_id": 55}])
    assert [video.categories() for video in comparison.videos] == [[9], [9]]
    assert len(comparison.videos[1].results[9]) == 1


def test_a_set_without_annotations_is_a_set() -> None:
    comparison = read_comparison({"videos": [{"id": 7}], "categories": []}, [])
    assert comparison.videos[0].categories() == []


@pytest.mark.parametrize(
    ("truth", "results", "message"),
    [
        ([], [], "annotations: expected an object with 'videos' and 'categories'"),
        ({"videos": []}, [], "annotations: expected an object with 'videos' and 'categories'"),
        (TRUTH, {"results": []}, "results: expected a list"),
        (TRUTH, [RESULT, RESULT | {"video_id": 1}], "result 1: video_id 1 is not among"),
        (TRUTH, [{"video_id": 8, "segmentations": []}], "result 0: has no category_id, score"),
        (TRUTH | {"annotations": [{"id": 1}]}, [], "annotation 0: has no category_id, segm"),
        (TRUTH | {"annotations": 5}, [], "annotations: 'annotations': expected a list, got 5"),
        (TRUTH | {"videos": [7]}, [], "annotations: 'videos' 0: expected one with an id, got 7"),
        (TRUTH | {"categories": [{}]}, [], "annotations: 'categories' 0: expected one with an id"),
        (TRUTH | {"videos": [{"id": [7]}]}, [], "annotations: 'videos' 0: expected one with an id"),
        (TRUTH | {"videos": [{"id": 7}, {"id": "8"}]}, [], "'videos': expected ids of one kind"),
        (TRUTH | {"annotations": [5]}, [], "annotation 0: expected an object with category_id"),
        (TRUTH, [5], "result 0: expected an object with category_id, score, .*, got 5"),
        (TRUTH, [RESULT | {"video_id": [8]}], r"result 0: video_id: expected an id, got \[8\]"),
        (TRUTH, [RESULT | {"category_id": {}}], "result 0: category_id: expected an id, got {}"),
        (TRUTH, [RESULT | {"score": "high"}], "result 0: score: expected a number, got 'high'"),
        (TRUTH, [RESULT | {"score": float("nan")}], "result 0: score: expected a number, got nan"),
        (
            TRUTH,
            [RESULT | {"segmentations": None}],
            "result 0: segmentations: expected a list with",
        ),
        (
            TRUTH | {"annotations": [TRUTH["annotations"][0] | {"areas": [1, "x"]}]},
            [],
            r"annotation 0: areas: expected a list of numbers, got \[1, 'x'\]",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_is_named(truth: Any, results: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_comparison(truth, results)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.json: annotations cannot be read \(No such file"):
        read_comparison(tmp_path / "none.json", [])
    (tmp_path / "half.json").write_text("[{")
    with pytest.raises(DataError, match=r"half.json: results are not JSON"):
        read_comparison(TRUTH, tmp_path / "half.json")
