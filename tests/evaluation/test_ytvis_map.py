"""The official figures are those of youtubevos/cocoapi; see golden/README.md."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qivis.errors import DataError
from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.evaluation.ytvis_matching import AREA_RANGES
from qivis.ops import rle
from tests.evaluation.trackeval_reference import (
    CLASSES,
    random_case,
    trackeval_dataset,
    trackeval_figures,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def box_mask(x1: int, y1: int, x2: int, y2: int) -> rle.Rle:
    mask = torch.zeros(1, 20, 30, dtype=torch.bool)
    mask[0, y1:y2, x1:x2] = True
    return rle.encode(mask)[0]


def truth(*tracks: list[Any], **extra: Any) -> dict[str, Any]:
    return {
        "videos": [{"id": 7, "height": 20, "width": 30, "length": 2}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {
                "id": number,
                "video_id": 7,
                "category_id": 3,
                "iscrowd": 0,
                "segmentations": masks,
                "areas": [None if mask is None else rle.area(mask) for mask in masks],
                **extra,
            }
            for number, masks in enumerate(tracks)
        ],
    }


def result(masks: list[Any], score: float = 0.9, category: int = 3) -> dict[str, Any]:
    return {"video_id": 7, "category_id": category, "score": score, "segmentations": masks}


@pytest.mark.parametrize("case", range(3))
def test_figures_are_the_official_ones(case: int) -> None:
    content = json.loads((GOLDEN / f"youtube_vis_case_{case}.json").read_text())
    measured = evaluate_youtube_vis(content["ground_truth"], content["results"])
    assert measured.stats == pytest.approx(content["stats"], abs=1e-9)
    of_categories = [value for _, value in sorted(measured.per_class_ap.items())]
    assert of_categories == pytest.approx(content["per_class_ap"], abs=1e-9)


def test_files_are_read_like_parsed_values(tmp_path: Path) -> None:
    masks = [box_mask(0, 0, 10, 10), None]
    (tmp_path / "truth.json").write_text(json.dumps(truth(masks)))
    (tmp_path / "results.json").write_text(json.dumps([result(masks)]))
    measured = evaluate_youtube_vis(tmp_path / "truth.json", str(tmp_path / "results.json"))
    assert measured.stats[0] == pytest.approx(1.0)


def test_an_object_with_id_0_can_be_found() -> None:
    masks = [box_mask(0, 0, 10, 10), None]
    assert evaluate_youtube_vis(truth(masks), [result(masks)]).stats[:3] == pytest.approx((1, 1, 1))


def test_no_results_at_all_score_0() -> None:
    measured = evaluate_youtube_vis(truth([box_mask(0, 0, 9, 9), None]), [])
    assert measured.stats[0] == 0.0
    assert measured.per_class_ap == {3: 0.0, 9: None}


def test_overlap_is_summed_over_frames_before_it_is_divided() -> None:
    # Frame 0: 100 of 100 pixels; frame 1: 0 of 50 wanted, 50 found elsewhere: 100 / 200 = 0.5.
    wanted = [box_mask(0, 0, 10, 10), box_mask(0, 0, 10, 5)]
    found = [box_mask(0, 0, 10, 10), box_mask(15, 10, 25, 15)]
    measured = evaluate_youtube_vis(truth(wanted), [result(found)])
    assert measured.stats[1] == pytest.approx(1.0)  # AP50
    assert measured.stats[0] == pytest.approx(0.1)  # only the threshold 0.5 is met


def test_an_empty_mask_is_no_mask() -> None:
    empty = rle.encode(torch.zeros(1, 20, 30, dtype=torch.bool))[0]
    wanted = [box_mask(0, 0, 10, 10), None]
    measured = evaluate_youtube_vis(truth(wanted), [result([wanted[0], empty])])
    assert measured.stats[0] == pytest.approx(1.0)


def test_a_crowd_neither_counts_nor_makes_its_finders_wrong() -> None:
    crowd, single = [box_mask(0, 0, 10, 10), None], [box_mask(15, 0, 25, 10), None]
    annotated = truth(crowd, single)
    annotated["annotations"][0]["iscrowd"] = 1
    found = [result(crowd, 0.9), result(crowd, 0.8), result(single, 0.7)]
    assert evaluate_youtube_vis(annotated, found).stats[0] == pytest.approx(1.0)


def test_results_of_unknown_categories_are_left_out() -> None:
    masks = [box_mask(0, 0, 10, 10), None]
    found = [result(masks), result(masks, category=55)]
    assert evaluate_youtube_vis(truth(masks), found).stats[0] == pytest.approx(1.0)


def test_the_arguments_are_left_as_they_were() -> None:
    content = json.loads((GOLDEN / "youtube_vis_case_2.json").read_text())
    before = copy.deepcopy(content)
    evaluate_youtube_vis(content["ground_truth"], content["results"])
    assert content == before


def test_a_result_of_an_unknown_video_is_named() -> None:
    strange = {**result([None, None]), "video_id": 8}
    with pytest.raises(DataError, match="result 0: video_id 8 is not among"):
        evaluate_youtube_vis(truth([box_mask(0, 0, 9, 9), None]), [strange])


def test_a_missing_field_is_named() -> None:
    broken = {"video_id": 7, "category_id": 3, "segmentations": [None, None]}
    with pytest.raises(DataError, match="result 0: has no score"):
        evaluate_youtube_vis(truth([box_mask(0, 0, 9, 9), None]), [broken])


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_trackeval(seed: int, tmp_path: Path) -> None:
    annotated, found = random_case(seed, crowds=seed % 2 == 1)
    measured = evaluate_youtube_vis(annotated, found)
    dataset = trackeval_dataset(tmp_path, annotated, found)
    at_most_100, at_most_1 = (track_map(dataset, limit) for limit in (100, 1))
    (ap, ap_50, ap_75, *ap_areas), (ar_1, _, ar_100, *ar_areas) = (
        measured.stats[:6],
        measured.stats[6:],
    )
    assert min(measured.stats) < 0.9 * max(measured.stats)
    overall = at_most_100["all classes"]
    assert [ap_50, ap_75] == pytest.approx([overall["AP_all"][0], overall["AP_all"][5]], abs=1e-9)
    areas = ("all", "small", "medium", "large")
    expected = [overall[f"AP_{area}"].mean() for area in areas]
    assert [ap, *ap_areas] == pytest.approx(expected, abs=1e-9)
    expected = [overall[f"AR_{area}"].mean() for area in areas]
    assert [ar_100, *ar_areas] == pytest.approx(expected, abs=1e-9)
    assert ar_1 == pytest.approx(at_most_1["all classes"]["AR_all"].mean(), abs=1e-9)
    for category, name in CLASSES.items():
        of_class = at_most_100[name]["AP_all"].mean()
        ours = measured.per_class_ap[category]
        assert (-1 if ours is None else ours) == pytest.approx(of_class, abs=1e-9)


def track_map(dataset: Any, most_detections: int) -> dict[str, Any]:
    """TrackEval's TrackMAP with the ranges and limits of YouTube-VIS."""
    from trackeval.metrics import TrackMAP

    metric = TrackMAP(
        {
            "AREA_RANGES": AREA_RANGES[1:].tolist(),
            "AREA_RANGE_LABELS": ["small", "medium", "large"],
            "USE_TIME_RANGES": False,
            "IOU_THRESHOLDS": np.linspace(0.5, 0.95, 10),
            "MAX_DETECTIONS": most_detections,
            "PRINT_CONFIG": False,
        }
    )
    by_class = trackeval_figures(dataset, metric)
    return by_class | {"all classes": metric.combine_classes_class_averaged(by_class)}
