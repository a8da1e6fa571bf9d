"""Scripts as they are written for youtube-vis-api, with another import."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qivis.errors import DataError
from qivis.evaluation.youtube_vis_api import YTVOS, YTVOSeval
from qivis.evaluation.ytvis_map import STATS, evaluate_youtube_vis

GOLDEN = Path(__file__).parents[1] / "golden"
# The official figures of case 2, rounded to three places.
SUMMARY = """\
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.408
 Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.502
 Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.460
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.358
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.867
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.750
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.500
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.636
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.636
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.476
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.950
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 1.000
"""


def golden(case: int) -> dict[str, Any]:
    return json.loads((GOLDEN / f"youtube_vis_case_{case}.json").read_text())


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    content = golden(2)
    (tmp_path / "valid.json").write_text(json.dumps(content["ground_truth"]))
    (tmp_path / "results.json").write_text(json.dumps(content["results"]))
    return str(tmp_path / "valid.json"), str(tmp_path / "results.json")


@pytest.fixture
def truth() -> YTVOS:
    annotations = YTVOS()
    annotations.dataset = golden(2)["ground_truth"]
    annotations.createIndex()
    return annotations


def evaluated(truth: YTVOS, results: Any, **settings: Any) -> YTVOSeval:
    evaluation = YTVOSeval(truth, truth.loadRes(results))
    for name, value in settings.items():
        setattr(evaluation.params, name, value)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def test_a_script_prints_the_official_lines(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    annFile, resFile = files  # noqa: N806

    annType = "segm"  # noqa: N806
    ytvosGt = YTVOS(annFile)  # noqa: N806
    ytvosDt = ytvosGt.loadRes(resFile)  # noqa: N806
    vidIds = sorted(ytvosGt.getVidIds())  # noqa: N806
    ytvosEval = YTVOSeval(ytvosGt, ytvosDt, annType)  # noqa: N806
    ytvosEval.params.vidIds = vidIds
    ytvosEval.evaluate()
    ytvosEval.accumulate()
    ytvosEval.summarize()

    assert capsys.readouterr().out == SUMMARY
    assert ytvosEval.stats == pytest.approx(golden(2)["stats"], abs=1e-9)


def test_figures_can_be_taken_from_the_tables(truth: YTVOS) -> None:
    evaluation = evaluated(truth, golden(2)["results"])
    p, precision = evaluation.params, evaluation.eval["precision"]
    assert list(precision.shape) == evaluation.eval["counts"] == [10, 101, 6, 4, 3]
    assert evaluation.eval["recall"].shape == (10, 6, 4, 3)
    at_75 = precision[np.where(p.iouThrs == 0.75)[0]]
    at_75 = at_75[:, :, :, p.areaRngLbl.index("all"), p.maxDets.index(100)]
    assert at_75[at_75 > -1].mean() == pytest.approx(golden(2)["stats"][2], abs=1e-9)


def test_figures_that_do_not_exist_are_minus_1(capsys: pytest.CaptureFixture[str]) -> None:
    content = golden(0)
    annotations = YTVOS()
    annotations.dataset = content["ground_truth"]
    annotations.createIndex()
    evaluation = evaluated(annotations, content["results"])
    assert evaluation.stats == pytest.approx(content["stats"], abs=1e-9)
    medium = capsys.readouterr().out.splitlines()[4]
    assert medium.endswith("| area=medium | maxDets=100 ] = -1.000")


def test_only_the_chosen_videos_and_categories_are_looked_at(truth: YTVOS) -> None:
    results = golden(2)["results"]
    evaluation = evaluated(truth, results, vidIds=[5, 1, 2, 2], catIds=np.array([3, 1]))
    kept = {
        "videos": truth.dataset["videos"],
        "categories": [{"id": 1}, {"id": 3}],
        "annotations": [a for a in truth.dataset["annotations"] if a["video_id"] in {1, 2, 5}],
    }
    expected = evaluate_youtube_vis(kept, [r for r in results if r["video_id"] in {1, 2, 5}])
    assert evaluation.stats.tolist() == list(expected.stats)
    assert evaluation.stats[0] != pytest.approx(golden(2)["stats"][0])
    assert (evaluation.params.vidIds, evaluation.params.catIds) == ([1, 2, 5], [1, 3])


def test_limits_of_tracks_can_be_chosen(truth: YTVOS, capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = evaluated(truth, golden(2)["results"], maxDets=[300, 1, 2])
    lines = capsys.readouterr().out.splitlines()
    # The official code asks for 100 in the first line, whatever the limits.
    assert lines[0].endswith("maxDets=100 ] = -1.000")
    assert lines[1].endswith("maxDets=300 ] = 0.502")
    assert [line.split("maxDets=")[1][:3] for line in lines[6:9]] == ["  1", "  2", "300"]
    official = dict(zip(STATS, golden(2)["stats"], strict=True))
    assert evaluation.stats[6] == pytest.approx(official["AR1"], abs=1e-9)
    assert official["AR1"] < evaluation.stats[7] < official["AR10"]


def test_more_tracks_than_100_can_be_looked_at(truth: YTVOS) -> None:
    perfect = [
        {key: ann[key] for key in ("video_id", "category_id", "segmentations")} | {"score": 0.1}
        for ann in truth.dataset["annotations"]
    ]
    distracting = [entry | {"segmentations": [None], "score": 0.9} for entry in perfect] * 110
    assert evaluated(truth, distracting + perfect).stats[8] == 0
    # Some of the objects are never seen.
    assert evaluated(truth, distracting + perfect, maxDets=[1, 10, 9999]).stats[8] > 0.8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iouThrs", [0.5, 0.75]),
        ("recThrs", [0.0, 1.0]),
        ("areaRng", [[0, 1e10]]),
        ("areaRngLbl", ["all"]),
        ("useCats", 0),
        ("iouType", "bbox"),
        ("maxDets", [100]),
    ],
)
def test_settings_that_are_not_supported_are_refused(truth: YTVOS, name: str, value: Any) -> None:
    with pytest.raises(DataError, match=rf"params\.{name}: "):
        evaluated(truth, [], **{name: value})


def test_no_results_are_results(truth: YTVOS) -> None:
    assert evaluated(truth, []).stats.tolist() == [0] * 12


def test_an_object_with_id_0_can_be_found(truth: YTVOS) -> None:
    for number, annotation in enumerate(truth.dataset["annotations"]):
        annotation["id"] = number
    truth.createIndex()
    evaluation = evaluated(truth, golden(2)["results"])
    assert evaluation.stats == pytest.approx(golden(2)["stats"], abs=1e-9)


def test_steps_out_of_order_are_refused(truth: YTVOS) -> None:
    evaluation = YTVOSeval(truth, truth.loadRes([]))
    with pytest.raises(DataError, match=r"call evaluate\(\) first"):
        evaluation.accumulate()
    with pytest.raises(DataError, match=r"call accumulate\(\) first"):
        evaluation.summarize()


def test_results_get_ids_and_are_left_as_they_were(truth: YTVOS) -> None:
    entries = golden(2)["results"]
    before = copy.deepcopy(entries)
    results = truth.loadRes(entries)
    assert list(results.anns) == list(range(1, len(entries) + 1))
    assert results.anns[1]["score"] == entries[0]["score"]
    assert results.getVidIds() == truth.getVidIds()
    assert entries == before


def test_results_of_other_videos_are_named(truth: YTVOS) -> None:
    with pytest.raises(DataError, match=r"videos \[77\] are not among the annotations'"):
        truth.loadRes([{"video_id": 77}])


def test_entries_are_found_by_what_they_are() -> None:
    annotations = YTVOS()
    annotations.dataset = {
        "videos": [{"id": 1}, {"id": 2}],
        "categories": [
            {"id": 3, "name": "cat", "supercategory": "animal"},
            {"id": 9, "name": "car", "supercategory": "vehicle"},
        ],
        "annotations": [
            {"id": 4, "video_id": 1, "category_id": 3, "iscrowd": 0},
            {"id": 5, "video_id": 1, "category_id": 9, "iscrowd": 1},
            {"id": 6, "video_id": 2, "category_id": 9, "iscrowd": 0},
        ],
    }
    annotations.createIndex()
    assert annotations.getAnnIds() == [4, 5, 6]
    assert annotations.getAnnIds(vidIds=1) == [4, 5]
    assert annotations.getAnnIds(vidIds=[2, 1, 8], catIds=[9]) == [6, 5]
    assert annotations.getAnnIds(iscrowd=False) == [4, 6]
    with pytest.raises(DataError, match="areaRng is not supported"):
        annotations.getAnnIds([], [], [0, 100])
    assert annotations.getCatIds() == [3, 9]
    assert annotations.getCatIds(catNms=["cat", "dog"]) == [3]
    assert annotations.getCatIds(supNms="vehicle") == [9]
    assert annotations.getCatIds(catNms="cat", catIds=9) == []
    assert annotations.getVidIds() == [1, 2]
    assert annotations.getVidIds(catIds=[9, 3]) == [1]
    assert annotations.getVidIds(vidIds=[2], catIds=3) == []
    assert annotations.getVidIds(catIds=77) == []
    assert [ann["id"] for ann in annotations.loadAnns([6, 4])] == [6, 4]
    assert annotations.loadCats(np.int64(9))[0]["name"] == "car"
    assert annotations.loadVids(annotations.getVidIds()) == annotations.dataset["videos"]
    assert annotations.loadVids() == []


def test_masks_are_read_whatever_their_form() -> None:
    annotations = YTVOS()
    annotations.dataset = {
        "videos": [{"id": 1, "height": 4, "width": 6}],
        "annotations": [
            {
                "id": 1,
                "video_id": 1,
                "category_id": 1,
                "segmentations": [
                    None,
                    {"size": [4, 6], "counts": [4, 8, 12]},
                    [[1, 0, 3, 0, 3, 4, 1, 4]],
                ],
            }
        ],
    }
    annotations.createIndex()
    pixels = annotations.annToMask(annotations.anns[1], 1)
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [[0, 1, 1, 0, 0, 0]] * 4
    assert np.array_equal(annotations.annToMask(annotations.anns[1], 2), pixels)
    from_runs, from_polygon = (annotations.annToRLE(annotations.anns[1], t) for t in (1, 2))
    assert from_runs == from_polygon


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "expected a JSON dict"), ("{", "cannot be read as JSON")],
    ids=["list", "half"],
)
def test_files_that_are_no_annotations_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "valid.json").write_text(text)
    with pytest.raises(DataError, match=rf"valid\.json: {message}"):
        YTVOS(tmp_path / "valid.json")
