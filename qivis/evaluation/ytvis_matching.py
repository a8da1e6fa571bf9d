"""Which tracks answer for which annotated objects of the same video and category.

The rules are those of youtube-vis-api's `ytvoseval.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.evaluation.mask_tracks import mean_areas, read_mask_tracks, track_overlaps
from qivis.evaluation.per_video import map_videos
from qivis.evaluation.ytvis_input import Source, VideoEntries, read_comparison

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST_DETECTIONS = 100
# Pixels, of the mean area over the frames in which an object is seen: all, small, medium, large.
AREA_RANGES = np.array([[0, 1e10], [0, 128**2], [128**2, 256**2], [256**2, 1e10]])

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Matching:
    """D tracks, best score first, against N objects, for 4 areas and 10 thresholds.

    scores: (D,).
    matched: (4, 10, D), whether the track answers for an object.
    ignored: (4, 10, D), whether the track does not count.
    truth_ignored: (4, N), whether the object does not count.
    """

    scores: NDArray[np.float64]
    matched: Bools
    ignored: Bools
    truth_ignored: Bools


@dataclass(frozen=True)
class Matchings:
    """The matchings of all videos, from which every figure of AP and AR follows.

    category_ids: K of them, ascending.
    videos: for each video, in the order of their ids, a matching by category id; categories without
        object and track are left out.
    """

    category_ids: Sequence[int]
    videos: Sequence[Mapping[int, Matching]]


def match_tracks(
    ground_truth: Source, results: Source, most_detections: int = MOST_DETECTIONS
) -> Matchings:
    """Match the tracks of all videos with the objects.

    Much work is spread over the cores.

    Args:
        ground_truth, results: as `read_comparison` takes them.
        most_detections: of a video and category; those of the best scores are looked at.

    Raises:
        DataError: if annotations or results cannot be used.
    """
    comparison = read_comparison(ground_truth, results)
    match = partial(match_video, most_detections=most_detections)
    return Matchings(comparison.category_ids, map_videos(match, comparison.videos))


def match_video(
    entries: VideoEntries, most_detections: int = MOST_DETECTIONS
) -> dict[int, Matching]:
    """Match the tracks and objects of one video, category by category.

    Args:
        entries: objects with `iscrowd` do not count and may be matched repeatedly.
        most_detections: as for `match_tracks`.
    """
    return {
        category: _match(
            entries.video,
            entries.annotations.get(category, []),
            entries.results.get(category, []),
            most_detections,
        )
        for category in entries.categories()
    }


def _match(
    video: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    most_detections: int,
) -> Matching:
    scores = np.array([result["score"] for result in results], dtype=float)
    order = np.argsort(-scores, kind="stable")[:most_detections]
    found = read_mask_tracks([results[index] for index in order], video)
    wanted = read_mask_tracks(annotations, video)
    crowds = np.array([bool(a.get("iscrowd")) for a in annotations], dtype=bool)
    measured = mean_areas(wanted.areas).tolist()
    areas = [_mean_area(a, mean) for a, mean in zip(annotations, measured, strict=True)]
    truth_ignored = crowds | _outside(np.array(areas, dtype=float))
    matched, ignored = _assign(track_overlaps(found, wanted), truth_ignored, crowds)
    outside = _outside(mean_areas(found.areas))
    return Matching(
        scores=scores[order],
        matched=matched,
        ignored=ignored | (~matched & outside[:, None]),
        truth_ignored=truth_ignored,
    )


def _assign(
    overlaps: NDArray[np.float64], truth_ignored: Bools, crowds: Bools
) -> tuple[Bools, Bools]:
    """Give each track, best score first, the free object that it overlaps most.

    Returns:
        matched and ignored, both (4, 10, D).
    """
    num_tracks, num_objects = overlaps.shape
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS))
    matched, ignored = np.zeros((2, *shape, num_tracks), dtype=bool)
    least = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
    free = np.ones((*shape, num_objects), dtype=bool)
    counts = np.broadcast_to(~truth_ignored[:, None], free.shape)
    for track in np.flatnonzero((overlaps >= least[0]).any(axis=1)):
        row = overlaps[track]
        fits = (free | crowds) & (row >= least[:, None])
        real = fits & counts
        # An object that counts goes before every one that does not; of equals, the last wins.
        choice = np.where(real.any(-1, keepdims=True), real, fits)
        last_best = num_objects - 1 - np.argmax(np.where(choice, row, -1.0)[..., ::-1], axis=-1)
        chosen = np.eye(num_objects, dtype=bool)[last_best] & choice
        matched[..., track] = chosen.any(-1)
        ignored[..., track] = (chosen & ~counts).any(-1)
        free &= ~chosen
    return matched, ignored


def _mean_area(annotation: Mapping[str, Any], measured: float) -> float:
    """The mean area as annotated; as measured where nothing is."""
    areas = annotation.get("areas")
    if areas is None:
        return measured
    seen = [area for area in areas if area]
    return float(np.mean(seen)) if seen else 0.0


def _outside(areas: NDArray[np.float64]) -> Bools:
    """(N,) mean areas to (4, N): whether the area lies outside the range."""
    return (areas < AREA_RANGES[:, :1]) | (areas > AREA_RANGES[:, 1:])
