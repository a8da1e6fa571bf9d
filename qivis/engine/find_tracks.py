"""The tracks that a model finds in a set of videos, as results of the set."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from qivis.config import ExperimentConfig
from qivis.data.sources import validation_videos
from qivis.data.youtube_vis import YouTubeVis
from qivis.errors import WeightsError
from qivis.export.ytvis_json import TrackEntry, to_entries
from qivis.inference.predictor import Precision, Predictor, optimized, pick_device
from qivis.inference.video import segment_video
from qivis.models.queryinst import QueryInst
from qivis.models.source import open_weights
from qivis.models.weights import WeightsHeader
from qivis.structures import Categories
from qivis.tracking import TrackletCollector, views_of

MOST_TRACKS = 100  # of a video; the metric looks at no more of any class


def find_tracks(
    predictor: Predictor,
    videos: YouTubeVis,
    categories: Categories,
    max_tracks: int = MOST_TRACKS,
    positions: Sequence[int] | None = None,
) -> Iterator[TrackEntry]:
    """Segment and track video by video; the tracks of only one are in memory.

    Args:
        predictor: see `video_predictor`.
        videos: the set.
        categories: what the predictor's labels are called in the results.
        max_tracks: the best so many of each video.
        positions: of the videos that are looked at, in this order; by default all.

    Yields:
        Entries of the results, those of a video together and best score first.
    """
    chosen = range(len(videos)) if positions is None else positions
    num_frames = sum(videos.length(video) for video in chosen)
    with tqdm(total=num_frames, desc="segment", unit="frame", leave=False) as progress:
        for video in chosen:
            collector = TrackletCollector(predictor.tracking.min_frames)
            for _, tracked in segment_video(videos.frames(video), predictor):
                collector.add(views_of(tracked))
                progress.update()
            tracks = sorted(collector.tracks(), key=lambda track: track.score, reverse=True)
            yield from to_entries(videos.video_id(video), tracks[:max_tracks], categories)


def video_predictor(model: QueryInst, header: WeightsHeader) -> Predictor:
    """A predictor that gives the tracker all that it looks at."""
    tracking = header.tracking
    return Predictor(
        model=model.eval(),
        input=header.input,
        categories=header.categories,
        tracking=tracking,
        device=next(model.parameters()).device,
        score_threshold=min(tracking.keep_score, tracking.birth_score),
    )


def open_video_predictor(
    weights: str, config: ExperimentConfig, device: str, precision: Precision | None = None
) -> Predictor:
    """A predictor of stored weights that tracks as a config says.

    Args:
        weights: as `open_weights` takes them; how pictures are resized is theirs.
        config: how detections become tracks is an experiment's: its tracking section is used, and
            not the one that the weights recommend.
        device: as `pick_device` takes it.
        precision: of the optimized network; by default the plain one is taken.

    Raises:
        WeightsError: if the weights or the device cannot be used.
    """
    target = pick_device(device)
    model, header = open_weights(weights)
    model.drop_training_heads()
    model.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        predictor = video_predictor(model, replace(header, tracking=config.tracking))
    except WeightsError as error:
        raise WeightsError(f"{weights}: {error}") from error
    return predictor if precision is None else optimized(predictor, precision)


def find_submission(
    weights: str,
    config: ExperimentConfig,
    data_root: Path,
    device: str,
    max_tracks: int = MOST_TRACKS,
) -> Iterator[TrackEntry]:
    """What to submit: the tracks in a config's validation set, with its official category ids.

    Args:
        weights, device: as `open_video_predictor` takes them.
        config: its data and tracking sections are used. `data.class_names` numbers classes anew,
            and is not looked at: classes go by their names in the annotation file.
        data_root: where the data sets are.
        max_tracks: the best so many of each video.

    Raises:
        QivisError: if data, weights or device cannot be used, or the weights know a class that
            the set does not have. All but unreadable frames are found at the call.
    """
    videos = validation_videos(replace(config.data, class_names=()), data_root)
    predictor = open_video_predictor(weights, config, device)
    categories = _official(predictor.categories, videos.categories, weights)
    return find_tracks(predictor, videos, categories, max_tracks)


def _official(known: Categories, listed: Categories, weights: str) -> Categories:
    """The set's categories in the order of a model's labels."""
    by_name = {category.name: category for category in listed}
    strangers = [name for name in known.names if name not in by_name]
    if strangers:
        raise WeightsError(
            f"{weights}: finds {', '.join(strangers[:5])}, but the annotation file has no "
            f"categories of {'these names' if len(strangers) > 1 else 'this name'}; submit with "
            "weights that were trained on the set's classes"
        )
    return Categories(tuple(by_name[name] for name in known.names))
