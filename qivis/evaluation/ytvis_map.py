"""YouTube-VIS AP and AR, equal to the official youtube-vis-api (youtubevos/cocoapi).

A video is to this metric what an image is to COCO's: each (video, category) is matched by itself,
with the overlap of whole tracks, and all are pooled by category.

Two things that the official code gets wrong are right here. It notes for each track the id of the
object that it answers for, and reads 0 as none: a track that finds the object of annotation id 0
counts as a false positive there, and the object as missed; here it counts as found. And it looks at
the first result to learn their kind: an empty list is an IndexError there; here every figure of a
category with objects is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.evaluation.ytvis_input import Source
from qivis.evaluation.ytvis_matching import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    MOST_DETECTIONS,
    Matching,
    Matchings,
    match_tracks,
)

RECALLS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = (1, 10, MOST_DETECTIONS)  # per video and category
STATS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


@dataclass(frozen=True)
class YouTubeVisAp:
    """What the official evaluation says.

    stats: the 12 figures in the order of `STATS`, in [0, 1]; -1 where there is no object.
    per_class_ap: AP by category id; None where the category has no object.
    precision: (10 thresholds, 101 recalls, K categories, 4 areas, 3 detection limits), -1 where
        the category has no object of the area.
    recall: (10, K, 4, 3), likewise.
    """

    stats: tuple[float, ...]
    per_class_ap: dict[int, float | None]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def evaluate_youtube_vis(ground_truth: Source, results: Source) -> YouTubeVisAp:
    """Compare tracks with annotations as the YouTube-VIS servers do.

    For more figures from the same matchings, call `match_tracks` and then `accumulate`, and what
    else there is.

    Args:
        ground_truth: `videos`, `annotations` and `categories` in the official format, parsed or as
            the path of a JSON file.
        results: entries with `video_id`, `category_id`, `score` and `segmentations`, one RLE or
            None per frame, parsed or as the path of a JSON file.

    Raises:
        DataError: if a file cannot be read, a field is missing, or a result is of a video that the
            annotations do not list. Results of unknown categories are left out, as officially.
    """
    return accumulate(match_tracks(ground_truth, results))


def accumulate(
    matchings: Matchings, max_detections: Sequence[int] = MAX_DETECTIONS
) -> YouTubeVisAp:
    """Pool the matchings of all videos.

    Args:
        matchings: of all videos.
        max_detections: three limits per video and category, ascending; precision is summed up under
            the last.
    """
    category_ids = matchings.category_ids
    shape = (len(IOU_THRESHOLDS), len(category_ids), len(AREA_RANGES), len(max_detections))
    precision = -np.ones((shape[0], len(RECALLS), *shape[1:]))
    recall = -np.ones(shape)
    for k, category in enumerate(category_ids):
        of_category = [video[category] for video in matchings.videos if category in video]
        for m, limit in enumerate(max_detections):
            for a in range(len(AREA_RANGES)):
                curves = _curves(of_category, a, limit)
                if curves is not None:
                    precision[:, :, k, a, m], recall[:, k, a, m] = curves
    per_class = {
        category: _mean(precision[:, :, k, 0, -1], nothing=None)
        for k, category in enumerate(category_ids)
    }
    return YouTubeVisAp(_stats(precision, recall), per_class, precision, recall)


def _curves(
    matchings: Sequence[Matching], area: int, limit: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Precision (10, 101) and recall (10,) of one category, area range and detection limit."""
    num_objects = sum(int((~m.truth_ignored[area]).sum()) for m in matchings)
    if num_objects == 0:
        return None
    scores = np.concatenate([m.scores[:limit] for m in matchings])
    order = np.argsort(-scores, kind="stable")
    matched = np.concatenate([m.matched[area][:, :limit] for m in matchings], axis=1)[:, order]
    counted = ~np.concatenate([m.ignored[area][:, :limit] for m in matchings], axis=1)[:, order]
    right = np.cumsum(matched & counted, axis=1).astype(float)
    wrong = np.cumsum(~matched & counted, axis=1).astype(float)
    recalls = right / num_objects
    precisions = right / (right + wrong + np.spacing(1))
    # Precision at a recall is the best at this recall or any higher one.
    envelope = np.maximum.accumulate(precisions[:, ::-1], axis=1)[:, ::-1]
    sampled = np.zeros((len(IOU_THRESHOLDS), len(RECALLS)))
    for row, (curve, reached) in enumerate(zip(envelope, recalls, strict=True)):
        places = np.searchsorted(reached, RECALLS, side="left")
        inside = places < len(curve)
        sampled[row, inside] = curve[places[inside]]
    final = recalls[:, -1] if len(scores) else np.zeros(len(IOU_THRESHOLDS))
    return sampled, final


def _stats(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> tuple[float, ...]:
    at_50, at_75 = 0, 5
    means = [
        precision[..., 0, -1],
        precision[at_50, ..., 0, -1],
        precision[at_75, ..., 0, -1],
        *(precision[..., area, -1] for area in (1, 2, 3)),
        *(recall[..., 0, m] for m in range(3)),
        *(recall[..., area, -1] for area in (1, 2, 3)),
    ]
    return tuple(_mean(values, nothing=-1.0) for values in means)


def _mean(values: NDArray[np.float64], nothing: Any) -> Any:
    known = values[values > -1]
    return float(known.mean()) if known.size else nothing
