"""Measuring weights on annotated videos."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qivis.config import ExperimentConfig
from qivis.config.schema import DataConfig, SourceConfig, TrackingConfig
from qivis.data.youtube_vis import YouTubeVis
from qivis.engine.evaluate_videos import (
    VideoFigures,
    as_metrics,
    as_table,
    evaluate_video_weights,
    evaluate_videos,
    find_results,
    measure,
    score,
)
from qivis.engine.find_tracks import open_video_predictor
from qivis.errors import DataError, WeightsError
from qivis.evaluation.bootstrap import bootstrap_ap
from qivis.evaluation.track_metrics import TrackFigures, TrackMetrics, measure_tracks
from qivis.evaluation.ytvis_map import STATS, YouTubeVisAp, evaluate_youtube_vis
from qivis.evaluation.ytvis_matching import match_tracks
from qivis.structures import Categories, Category
from tests.oracle import VideoOracle

VALID = SourceConfig("ytvis/valid/JPEGImages", "ytvis/valid/instances.json", "videos")
EAGER = TrackingConfig(keep_score=0.0, birth_score=0.0, min_frames=1)


AP = YouTubeVisAp(
    stats=(0.25, 0.5, 0.125, -1.0, *[0.5] * 8),
    per_class_ap={1: 0.5, 4: None, 9: 0.0},
    precision=np.zeros(0),
    recall=np.zeros(0),
)
FOUND = TrackFigures(hota=0.5, det_a=0.25, ass_a=1.0, idf1=0.75, mota=-0.5, id_switches=12)
LOST = TrackFigures(hota=0.0, det_a=0.0, ass_a=0.0, idf1=0.0, mota=-1.0, id_switches=0)
FIGURES = VideoFigures(
    categories=Categories((Category(1, "cat"), Category(4, "sea lion"), Category(9, "eel"))),
    ap=AP,
    interval=(0.125, 0.375),
    tracks=TrackMetrics(FOUND, {1: FOUND, 4: None, 9: LOST}),
)


@pytest.fixture(scope="module")
def videos(shapes: Path) -> YouTubeVis:
    return YouTubeVis(shapes / VALID.images, shapes / VALID.annotations)


def test_who_says_what_is_annotated_is_perfect(videos: YouTubeVis) -> None:
    figures = evaluate_videos(VideoOracle(videos), videos)  # type: ignore[arg-type]
    metrics = as_metrics(figures)
    assert metrics["AP"] == metrics["AP75"] == metrics["AR100"] == pytest.approx(100)
    assert metrics["AP_low"] == metrics["AP_high"] == pytest.approx(100)
    assert metrics["HOTA"] == metrics["IDF1/square"] == pytest.approx(100)
    assert metrics["id_switches"] == 0
    assert metrics["APl"] == -1
    for name in ("circle", "square", "triangle"):
        assert metrics[f"AP/{name}"] == pytest.approx(100)


def test_the_best_tracks_count(videos: YouTubeVis) -> None:
    oracle = VideoOracle(videos)
    metrics = as_metrics(evaluate_videos(oracle, videos, max_tracks=1))  # type: ignore[arg-type]
    best = (3, 6)  # of each video, the last object has the best score
    kinds = {a["id"]: a["category_id"] for a in videos.ground_truth()["annotations"]}
    found = {kinds[number] for number in best}
    for category in videos.categories:
        assert (metrics[f"AP/{category.name}"] > 0) == (category.id in found)


def test_parts_that_were_looked_at_apart_give_the_same_figures_to_the_last_digit(
    tiny_weights: Path, videos: YouTubeVis
) -> None:
    config = ExperimentConfig(tracking=EAGER)
    predictor = open_video_predictor(str(tiny_weights), config, "cpu")
    parts = [find_results(predictor, videos, [position]) for position in (1, 0)]
    assert [{entry["video_id"] for entry in part} for part in parts] == [{2}, {1}]
    gathered = json.loads(json.dumps([*parts[0], *parts[1]]))
    metrics = as_metrics(score(videos, gathered))
    assert metrics == as_metrics(evaluate_videos(predictor, videos))


def test_weights_are_measured_on_the_set_of_the_config(tiny_weights: Path, shapes: Path) -> None:
    config = ExperimentConfig(data=DataConfig(val=VALID), tracking=EAGER)
    figures = evaluate_video_weights(str(tiny_weights), config, shapes, "cpu")
    assert figures is not None
    metrics = as_metrics(figures)
    assert list(metrics)[:12] == list(STATS)
    assert 0 <= metrics["AP"] < 50


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            DataConfig(val=VALID, class_names=("round", "angular")),
            WeightsError,
            r"tiny\.safetensors: finds circle, square, triangle, but .* has round, angular; data",
        ),
        (
            DataConfig(val=SourceConfig("val2017", "annotations/instances_val2017.json")),
            DataError,
            "instances_val2017.json: data.val holds images, not videos",
        ),
    ],
    ids=["other classes", "images"],
)
def test_what_does_not_fit_is_refused(
    tiny_weights: Path, shapes: Path, data: DataConfig, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate_video_weights(str(tiny_weights), ExperimentConfig(data=data), shapes, "cpu")


def test_results_are_measured_as_each_metric_says(videos: YouTubeVis) -> None:
    truth = videos.ground_truth()
    results = [
        {"score": 0.5} | {key: a[key] for key in ("video_id", "category_id", "segmentations")}
        for a in truth["annotations"][:-1]
    ]
    figures = measure(truth, results, videos.categories)
    assert figures.ap.stats == evaluate_youtube_vis(truth, results).stats
    assert figures.interval == bootstrap_ap(match_tracks(truth, results))
    assert figures.tracks == measure_tracks(truth, results)
    assert figures.interval[0] < figures.ap.stats[0] < figures.interval[1]


def test_without_trackeval_the_rest_is_measured_and_the_remedy_said(
    videos: YouTubeVis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)  # as if it were not installed
    figures = measure(videos.ground_truth(), [], videos.categories)
    assert figures.tracks is None
    assert figures.ap.stats[0] == 0
    (message,) = caplog.messages
    assert "pip install 'qivis[track-metrics]'" in message


def test_figures_are_in_percent_by_name() -> None:
    metrics = as_metrics(FIGURES)
    assert (metrics["AP"], metrics["AP75"], metrics["APs"]) == (25, 12.5, -1)
    assert (metrics["AP_low"], metrics["AP_high"]) == (12.5, 37.5)
    assert (metrics["HOTA"], metrics["IDF1"], metrics["id_switches"]) == (50, 75, 12)
    assert (metrics["AP/cat"], metrics["AP/sea lion"], metrics["AP/eel"]) == (50, -1, 0)
    assert metrics["AssA/cat"] == 100
    assert "HOTA/sea lion" not in metrics
    assert metrics["id_switches/eel"] == 0


def test_the_table_lists_every_class() -> None:
    assert as_table(FIGURES).splitlines() == [
        "AP    AP50  AP75  APs   APm   APl   AR1  AR10  AR100   ARs   ARm   ARl",
        "25.0  50.0  12.5    -  50.0  50.0  50.0  50.0   50.0  50.0  50.0  50.0",
        "95 % interval of AP, by redrawing videos: 12.5 to 37.5",
        "",
        "               AP  HOTA  IDF1  ID switches",
        "all classes  25.0  50.0  75.0           12",
        "cat          50.0  50.0  75.0           12",
        "sea lion        -     -     -            -",
        "eel           0.0   0.0   0.0            0",
    ]


def test_what_was_not_measured_is_not_in_the_table() -> None:
    lines = as_table(replace(FIGURES, tracks=None)).splitlines()
    assert lines[4:6] == ["               AP", "all classes  25.0"]
    assert "HOTA" not in as_metrics(replace(FIGURES, tracks=None))
