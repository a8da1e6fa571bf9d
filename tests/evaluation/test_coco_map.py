"""COCO AP on sets whose figures can be worked out by hand."""

import copy
from typing import Any

import pytest
import torch

from qivis.evaluation.coco_map import evaluate_coco
from qivis.ops import rle

SIZE = (100, 120)
CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}, {"id": 9, "name": "cow"}]
Box = tuple[int, int, int, int]
FIRST, SECOND, ELSEWHERE = (0, 0, 40, 40), (60, 0, 50, 40), (0, 60, 40, 40)
SMALL = (100, 80, 10, 10)


def region(box: Box) -> dict[str, Any]:
    """The box (x y w h) and a mask that fills it."""
    x, y, width, height = box
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[0, y : y + height, x : x + width] = True
    return {"bbox": list(box), "segmentation": rle.encode(mask)[0], "area": width * height}


def truth_of(*objects: tuple[int, Box], crowds: tuple[Box, ...] = ()) -> dict[str, Any]:
    """One image; objects are (category id, box). Crowds are cats."""
    entries = [*((*entry, 0) for entry in objects), *((3, box, 1) for box in crowds)]
    return {
        "images": [{"id": 5, "height": SIZE[0], "width": SIZE[1]}],
        "categories": CATEGORIES,
        "annotations": [
            {"id": i + 1, "image_id": 5, "category_id": category, "iscrowd": crowd, **region(box)}
            for i, (category, box, crowd) in enumerate(entries)
        ],
    }


def results_of(*found: tuple[int, Box, float]) -> list[dict[str, Any]]:
    """(category id, box, score) each."""
    return [
        {"image_id": 5, "category_id": category, "score": score, **region(box)}
        for category, box, score in found
    ]


TWO_CATS = truth_of((3, FIRST), (3, SECOND))


def test_perfect_results_have_an_ap_of_one() -> None:
    truth = truth_of((3, FIRST), (3, SECOND), (7, SMALL))
    measured = evaluate_coco(truth, results_of((3, FIRST, 0.5), (3, SECOND, 0.4), (7, SMALL, 0.3)))
    for kind in ("box", "mask"):
        assert measured[kind].figures == pytest.approx(
            {"AP": 1, "AP50": 1, "AP75": 1, "APs": 1, "APm": 1, "APl": -1}
        )
        assert measured[kind].per_class == pytest.approx({"cat": 1, "dog": 1, "cow": -1})


def test_one_of_two_objects_is_half_of_the_recalls() -> None:
    measured = evaluate_coco(TWO_CATS, results_of((3, FIRST, 0.5)))
    # Precision is 1 at the recalls 0, 0.01 ... 0.5 and 0 at the other 50.
    assert measured["box"].figures["AP"] == pytest.approx(51 / 101)
    assert measured["mask"].per_class["cat"] == pytest.approx(51 / 101)


def test_a_wrong_result_with_a_better_score_costs_precision() -> None:
    truth = truth_of((3, FIRST))
    better = evaluate_coco(truth, results_of((3, FIRST, 0.5), (3, ELSEWHERE, 0.9)))
    worse = evaluate_coco(truth, results_of((3, FIRST, 0.5), (3, ELSEWHERE, 0.1)))
    assert better["box"].figures["AP"] == pytest.approx(0.5)
    assert worse["box"].figures["AP"] == pytest.approx(1)


def test_results_of_another_class_do_not_count() -> None:
    measured = evaluate_coco(TWO_CATS, results_of((7, FIRST, 0.5)))
    assert measured["box"].figures["AP"] == 0
    assert measured["box"].per_class == {"cat": 0, "dog": -1, "cow": -1}


def test_overlap_decides_at_which_thresholds_a_result_is_right() -> None:
    shorter = (0, 0, 40, 29)  # an overlap of 0.725: right from 0.5 to 0.7
    measured = evaluate_coco(truth_of((3, FIRST)), results_of((3, shorter, 0.5)))
    assert measured["box"].figures["AP50"] == pytest.approx(1)
    assert measured["box"].figures["AP75"] == 0
    assert measured["box"].figures["AP"] == pytest.approx(0.5)


def test_boxes_and_masks_are_measured_apart() -> None:
    (result,) = results_of((3, FIRST, 0.5))
    result["segmentation"] = region(ELSEWHERE)["segmentation"]
    measured = evaluate_coco(truth_of((3, FIRST)), [result])
    assert measured["box"].figures["AP"] == pytest.approx(1)
    assert measured["mask"].figures["AP"] == 0


def test_what_is_found_in_a_crowd_is_not_wrong() -> None:
    truth = truth_of((3, FIRST), crowds=(ELSEWHERE,))
    inside = (5, 65, 10, 10)
    measured = evaluate_coco(truth, results_of((3, inside, 0.9), (3, FIRST, 0.5)))
    assert measured["mask"].figures["AP"] == pytest.approx(1)


def test_no_results_have_an_ap_of_zero_where_there_are_objects() -> None:
    measured = evaluate_coco(truth_of((3, FIRST)), [])
    for kind in ("box", "mask"):
        assert measured[kind].figures == {
            "AP": 0,
            "AP50": 0,
            "AP75": 0,
            "APs": -1,
            "APm": 0,
            "APl": -1,
        }
        assert measured[kind].per_class == {"cat": 0, "dog": -1, "cow": -1}


def test_neither_annotations_nor_results_are_changed() -> None:
    truth, results = truth_of((3, FIRST), crowds=(ELSEWHERE,)), results_of((3, FIRST, 0.5))
    before = copy.deepcopy((truth, results))
    evaluate_coco(truth, results)
    assert (truth, results) == before


def test_annotations_may_be_numbered_from_zero_or_not_at_all() -> None:
    truth, results = truth_of((3, FIRST), (7, SMALL)), results_of((3, FIRST, 0.5), (7, SMALL, 0.4))
    expected = evaluate_coco(truth, results)
    for annotation in truth["annotations"]:
        annotation["id"] -= 1
    assert evaluate_coco(truth, results) == expected
    assert expected["mask"].figures["AP"] == pytest.approx(1)
    for annotation in truth["annotations"]:
        del annotation["id"]
    assert evaluate_coco(truth, results) == expected


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate_coco(TWO_CATS, results_of((3, FIRST, 0.5)))
    assert capsys.readouterr().out == ""
