"""Running a model over a set of videos."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qivis.config import ExperimentConfig
from qivis.config.schema import DataConfig, SourceConfig, TrackingConfig
from qivis.data.youtube_vis import YouTubeVis
from qivis.engine.find_tracks import (
    find_submission,
    find_tracks,
    open_video_predictor,
    video_predictor,
)
from qivis.errors import WeightsError
from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.models.source import open_weights
from qivis.structures import Categories, Category
from tests.oracle import VideoOracle

VALID = SourceConfig("ytvis/valid/JPEGImages", "ytvis/valid/instances.json", "videos")
# Weights that nobody trained give scores of about 0.01.
EAGER = TrackingConfig(keep_score=0.0, birth_score=0.0, min_frames=1)


@pytest.fixture(scope="module")
def videos(shapes: Path) -> YouTubeVis:
    return YouTubeVis(shapes / VALID.images, shapes / VALID.annotations)


def test_who_says_what_is_annotated_has_an_ap_of_one(videos: YouTubeVis) -> None:
    entries = list(find_tracks(VideoOracle(videos), videos, videos.categories))  # type: ignore[arg-type]
    truth = videos.ground_truth()
    assert len(entries) == len(truth["annotations"])
    assert evaluate_youtube_vis(truth, entries).stats[0] == pytest.approx(1)


def test_tracks_come_best_first_and_no_more_than_asked_for(videos: YouTubeVis) -> None:
    def found(most: int) -> list[tuple[int, float]]:
        oracle = VideoOracle(videos)
        tracks = find_tracks(oracle, videos, videos.categories, most)  # type: ignore[arg-type]
        return [(track["video_id"], round(track["score"], 4)) for track in tracks]

    assert found(100) == [(1, 0.6), (1, 0.5), (1, 0.4), (2, 0.9), (2, 0.8), (2, 0.7)]
    assert found(1) == [(1, 0.6), (2, 0.9)]
    assert found(0) == []


def test_a_video_is_done_with_before_the_next_one_is_looked_at(videos: YouTubeVis) -> None:
    oracle = VideoOracle(videos)
    tracks = find_tracks(oracle, videos, videos.categories)  # type: ignore[arg-type]
    next(tracks)
    assert oracle.asked == 8


def test_short_tracks_are_left_out(videos: YouTubeVis) -> None:
    lengths = [
        sum(mask is not None for mask in annotation["segmentations"])
        for annotation in videos.ground_truth()["annotations"]
    ]
    shortest, longest = min(lengths), max(lengths)
    assert shortest < longest
    oracle = VideoOracle(videos, TrackingConfig(min_frames=longest))
    tracks = list(find_tracks(oracle, videos, videos.categories))  # type: ignore[arg-type]
    assert len(tracks) == lengths.count(longest)


def test_the_tracker_sees_all_that_it_may_look_at(tiny_weights: Path) -> None:
    model, header = open_weights(tiny_weights)
    tracking = TrackingConfig(keep_score=0.02, birth_score=0.4)
    predictor = video_predictor(model.train(), replace(header, tracking=tracking))
    assert predictor.score_threshold == 0.02
    assert predictor.tracking == tracking
    assert predictor.input == header.input
    assert not predictor.model.training


def test_the_tracking_of_the_config_counts_and_not_that_of_the_weights(
    tiny_weights: Path, videos: YouTubeVis
) -> None:
    eager = open_video_predictor(str(tiny_weights), ExperimentConfig(tracking=EAGER), "cpu")
    tracks = list(find_tracks(eager, videos, videos.categories))
    assert tracks
    assert {len(track["segmentations"]) for track in tracks} == {8}
    strict = open_video_predictor(str(tiny_weights), ExperimentConfig(), "cpu")
    assert list(find_tracks(strict, videos, videos.categories)) == []


def test_a_submission_has_the_ids_of_the_annotation_file(tiny_weights: Path, shapes: Path) -> None:
    data = DataConfig(val=VALID, class_names=("triangle", "circle", "square"))
    config = ExperimentConfig(data=data, tracking=EAGER)
    tracks = list(find_submission(str(tiny_weights), config, shapes, "cpu"))
    ids = {"circle": 1, "square": 3, "triangle": 7}
    assert tracks
    assert all(track["category_id"] == ids[track["category"]] for track in tracks)


def test_weights_may_know_fewer_classes_than_the_set(
    tiny_weights: Path, shapes: Path, tmp_path: Path
) -> None:
    content = json.loads((shapes / VALID.annotations).read_text())
    content["categories"].insert(1, {"id": 2, "name": "star"})
    (tmp_path / "more.json").write_text(json.dumps(content))
    data = DataConfig(val=replace(VALID, annotations=str(tmp_path / "more.json")))
    config = ExperimentConfig(data=data, tracking=EAGER)
    tracks = list(find_submission(str(tiny_weights), config, shapes, "cpu"))
    ids = {"circle": 1, "square": 3, "triangle": 7}
    assert all(track["category_id"] == ids[track["category"]] for track in tracks)


def test_weights_without_what_the_tracker_goes_by_are_named(tiny_weights: Path) -> None:
    config = ExperimentConfig(tracking=TrackingConfig(association="embedding"))
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: association by embedding needs"):
        open_video_predictor(str(tiny_weights), config, "cpu")


def test_weights_that_know_a_class_that_the_set_has_not_are_refused(
    tiny_weights: Path, shapes: Path, tmp_path: Path
) -> None:
    from qivis.models.weights import save_weights

    def with_names(*names: str) -> str:
        model, header = open_weights(tiny_weights)
        categories = Categories(tuple(Category(i, name) for i, name in enumerate(names)))
        path = tmp_path / "other.safetensors"
        save_weights(path, model, replace(header, categories=categories), torch.float32)
        return str(path)

    config = ExperimentConfig(data=DataConfig(val=VALID), tracking=EAGER)
    with pytest.raises(
        WeightsError, match=r"other\.safetensors: finds oval, disc, but .* of these names; submit"
    ):
        find_submission(with_names("oval", "square", "disc"), config, shapes, "cpu")
