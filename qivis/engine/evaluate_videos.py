"""Measuring a model on annotated videos."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qivis.config import ExperimentConfig
from qivis.data.sources import validation_videos
from qivis.data.youtube_vis import YouTubeVis
from qivis.engine.evaluate import check_classes
from qivis.engine.find_tracks import MOST_TRACKS, find_tracks, open_video_predictor
from qivis.engine.parts import Part, find_all, task_of
from qivis.errors import DataError
from qivis.evaluation.bootstrap import bootstrap_ap
from qivis.evaluation.track_metrics import TrackFigures, TrackMetrics, measure_tracks
from qivis.evaluation.ytvis_input import Source
from qivis.evaluation.ytvis_map import STATS, YouTubeVisAp, accumulate
from qivis.evaluation.ytvis_matching import match_tracks
from qivis.export.ytvis_json import TrackEntry
from qivis.inference.predictor import Precision, Predictor
from qivis.structures import Categories

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoFigures:
    """What is measured on a set of videos.

    categories: of the set.
    ap: the official figures.
    interval: in which 95 % of the APs lie when the videos are redrawn, in [0, 1].
    tracks: HOTA, IDF1 and ID switches; None where TrackEval is not installed.
    """

    categories: Categories
    ap: YouTubeVisAp
    interval: tuple[float, float]
    tracks: TrackMetrics | None


def evaluate_video_weights(
    weights: str,
    config: ExperimentConfig,
    data_root: Path,
    device: str,
    precision: Precision | None = None,
    part: Part | None = None,
) -> VideoFigures | None:
    """The figures of stored weights on a config's validation set.

    Args:
        weights, device, precision: as `open_video_predictor` takes them.
        config: its data and tracking sections are used.
        data_root: where the data sets are.
        part: what this process looks at; by default everything.

    Returns:
        None while other parts are missing.

    Raises:
        QivisError: if data, weights or device cannot be used, or the classes do not fit.
    """
    videos = validation_videos(config.data, data_root)
    predictor = open_video_predictor(weights, config, device, precision)
    check_classes(weights, predictor.categories, videos.categories)
    task = task_of(weights, config, data_root, device, precision) if part else {}
    results = find_all(partial(find_results, predictor, videos), len(videos), part, task)
    return None if results is None else score(videos, results)


def evaluate_videos(
    predictor: Predictor, videos: YouTubeVis, max_tracks: int = MOST_TRACKS
) -> VideoFigures:
    """The figures of a predictor.

    Args:
        predictor: see `video_predictor`.
        videos: the annotated set; its labels mean the same as the predictor's.
        max_tracks: the best so many of each video count.
    """
    return score(videos, find_results(predictor, videos, range(len(videos)), max_tracks))


def find_results(
    predictor: Predictor,
    videos: YouTubeVis,
    positions: Sequence[int],
    max_tracks: int = MOST_TRACKS,
) -> list[TrackEntry]:
    """The tracks that a predictor finds in some videos of a set, as JSON.

    Args:
        predictor, videos, max_tracks: as `evaluate_videos` takes them.
        positions: of the videos, which are looked at in this order.
    """
    return list(find_tracks(predictor, videos, videos.categories, max_tracks, positions))


def score(videos: YouTubeVis, results: Source) -> VideoFigures:
    """The figures of results.

    Args:
        videos: all of the annotated set.
        results: of all its videos, as `find_results` gives them. The figures do not depend on the
            order of the videos, only on that of the tracks of each.

    Raises:
        DataError: if results are of other videos.
    """
    return measure(videos.ground_truth(), results, videos.categories)


def measure(ground_truth: Source, results: Source, categories: Categories) -> VideoFigures:
    """The figures of results.

    Args:
        ground_truth, results: as `evaluate_youtube_vis` takes them.
        categories: those of the annotations.

    Raises:
        DataError: if annotations or results cannot be used.
    """
    matchings = match_tracks(ground_truth, results)
    try:
        tracks = measure_tracks(ground_truth, results)
    except DataError as error:  # what was matched can be used, so TrackEval is missing
        log.warning("%s", error)
        tracks = None
    return VideoFigures(categories, accumulate(matchings), bootstrap_ap(matchings), tracks)


def as_metrics(figures: VideoFigures) -> dict[str, float]:
    """Flat figures such as `AP50`, `HOTA`, `AP/person` and `id_switches/person`.

    In percent, and -1 where there is no object; ID switches are a number. Track metrics are left
    out where they were not measured or there is no object.
    """
    low, high = figures.interval
    metrics = dict(zip(STATS, map(_percent, figures.ap.stats), strict=True))
    metrics |= {"AP_low": _percent(low), "AP_high": _percent(high)}
    if figures.tracks is not None:
        metrics |= _track_metrics(figures.tracks.overall)
    for category in figures.categories:
        metrics[f"AP/{category.name}"] = _percent(figures.ap.per_class_ap[category.id])
        tracks = figures.tracks.per_class[category.id] if figures.tracks is not None else None
        if tracks is not None:
            named = _track_metrics(tracks).items()
            metrics |= {f"{name}/{category.name}": value for name, value in named}
    return metrics


def as_table(figures: VideoFigures) -> str:
    """The figures in percent to read, then those of every class; `-` where there is no object."""
    metrics = as_metrics(figures)
    columns = {"AP": "AP", "HOTA": "HOTA", "IDF1": "IDF1", "id_switches": "ID switches"}
    shown = {name: title for name, title in columns.items() if name in metrics}
    lines = _aligned([STATS, [_cell(metrics, name) for name in STATS]])
    lines.append(
        f"95 % interval of AP, by redrawing videos: {_cell(metrics, 'AP_low')} to "
        f"{_cell(metrics, 'AP_high')}"
    )
    rows = [["", *shown.values()], ["all classes", *(_cell(metrics, name) for name in shown)]]
    for category in figures.categories.names:
        rows.append([category, *(_cell(metrics, f"{name}/{category}") for name in shown)])
    return "\n".join([*lines, "", *_aligned(rows)])


def _track_metrics(figures: TrackFigures) -> dict[str, float]:
    return {
        "HOTA": _percent(figures.hota),
        "DetA": _percent(figures.det_a),
        "AssA": _percent(figures.ass_a),
        "IDF1": _percent(figures.idf1),
        "id_switches": figures.id_switches,
    }


def _percent(value: float | None) -> float:
    return -1.0 if value is None or value < 0 else 100 * value


def _cell(metrics: Mapping[str, float], name: str) -> str:
    value = metrics.get(name, -1)
    if value < 0:
        return "-"
    return f"{value:.0f}" if name.startswith("id_switches") else f"{value:.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
