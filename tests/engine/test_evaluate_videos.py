"""Measuring weights on annotated videos."""

from pathlib import Path

import pytest

from qivis.config import ExperimentConfig
from qivis.config.schema import DataConfig, SourceConfig, TrackingConfig
from qivis.data.youtube_vis import YouTubeVis
from qivis.engine.evaluate_videos import (
    as_metrics,
    evaluate_video_weights,
    evaluate_videos,
)
from qivis.errors import DataError, WeightsError
from qivis.evaluation.ytvis_map import STATS
from tests.oracle import VideoOracle

VALID = SourceConfig("ytvis/valid/JPEGImages", "ytvis/valid/instances.json", "videos")
EAGER = TrackingConfig(keep_score=0.0, birth_score=0.0, min_frames=1)


@pytest.fixture(scope="module")
def videos(shapes: Path) -> YouTubeVis:
    return YouTubeVis(shapes / VALID.images, shapes / VALID.annotations)


def test_who_says_what_is_annotated_is_perfect(videos: YouTubeVis) -> None:
    metrics = as_metrics(evaluate_videos(VideoOracle(videos), videos))  # type: ignore[arg-type]
    assert metrics["AP"] == metrics["AP75"] == metrics["AR100"] == pytest.approx(100)
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


def test_weights_are_measured_on_the_set_of_the_config(tiny_weights: Path, shapes: Path) -> None:
    config = ExperimentConfig(data=DataConfig(val=VALID), tracking=EAGER)
    metrics = as_metrics(evaluate_video_weights(str(tiny_weights), config, shapes, "cpu"))
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
