"""Measuring a model on annotated videos."""

from dataclasses import dataclass
from pathlib import Path

from qivis.config import ExperimentConfig
from qivis.data.sources import validation_videos
from qivis.data.youtube_vis import YouTubeVis
from qivis.engine.evaluate import check_classes
from qivis.engine.find_tracks import MOST_TRACKS, find_tracks, open_video_predictor
from qivis.evaluation.ytvis_map import STATS, YouTubeVisAp, accumulate
from qivis.evaluation.ytvis_matching import match_tracks
from qivis.inference.predictor import Predictor
from qivis.structures import Categories


@dataclass(frozen=True)
class VideoFigures:
    """What is measured on a set of videos.

    categories: of the set.
    ap: the official figures.
    """

    categories: Categories
    ap: YouTubeVisAp


def evaluate_video_weights(
    weights: str, config: ExperimentConfig, data_root: Path, device: str
) -> VideoFigures:
    """The figures of stored weights on a config's validation set.

    Args:
        weights, device: as `open_video_predictor` takes them.
        config: its data and tracking sections are used.
        data_root: where the data sets are.

    Raises:
        QivisError: if data, weights or device cannot be used, or the classes do not fit.
    """
    videos = validation_videos(config.data, data_root)
    predictor = open_video_predictor(weights, config, device)
    check_classes(weights, predictor.categories, videos.categories)
    return evaluate_videos(predictor, videos)


def evaluate_videos(
    predictor: Predictor, videos: YouTubeVis, max_tracks: int = MOST_TRACKS
) -> VideoFigures:
    """The figures of a predictor.

    Args:
        predictor: see `video_predictor`.
        videos: the annotated set; its labels mean the same as the predictor's.
        max_tracks: the best so many of each video count.
    """
    truth = videos.ground_truth()
    tracks = list(find_tracks(predictor, videos, videos.categories, max_tracks))
    return VideoFigures(videos.categories, accumulate(match_tracks(truth, tracks)))


def as_metrics(figures: VideoFigures) -> dict[str, float]:
    """Flat figures such as `AP50` and `AP/person`, in percent; -1 where there is no object."""
    metrics = {name: _percent(value) for name, value in zip(STATS, figures.ap.stats, strict=True)}
    per_class = figures.ap.per_class_ap
    return metrics | {
        f"AP/{category.name}": _percent(per_class[category.id]) for category in figures.categories
    }


def _percent(value: float | None) -> float:
    return -1.0 if value is None or value < 0 else 100 * value
