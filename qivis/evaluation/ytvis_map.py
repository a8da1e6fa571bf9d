"""YouTube-VIS AP and AR, equal to the official youtube-vis-api (youtubevos/cocoapi).

A video is to this metric what an image is to COCO's: each (video, category) is matched by itself,
with the overlap of whole tracks, and all are pooled by category. Where the official code goes
wrong, this does not: an object with annotation id 0 counts as matched, and an empty list of results
scores 0.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.evaluation.ytvis_matching import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    MOST_DETECTIONS,
    Matching,
    match_video,
)

RECALLS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = (1, 10, MOST_DETECTIONS)  # per video and category
STATS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")

Source = str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]]


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

    Args:
        ground_truth: `videos`, `annotations` and `categories` in the official format, parsed or as
            the path of a JSON file.
        results: entries with `video_id`, `category_id`, `score` and `segmentations`, one RLE or
            None per frame, parsed or as the path of a JSON file.

    Raises:
        DataError: if a file cannot be read, a field is missing, or a result is of a video that the
            annotations do not list. Results of unknown categories are left out, as officially.
    """
    truth, entries = _parsed(ground_truth, "annotations"), _parsed(results, "results")
    if not isinstance(truth, Mapping) or not {"videos", "categories"} <= truth.keys():
        raise DataError("annotations: expected an object with 'videos' and 'categories'")
    if not isinstance(entries, Sequence):
        raise DataError("results: expected a list of entries")
    videos = {video["id"]: video for video in truth["videos"]}
    annotations = _grouped(truth.get("annotations") or [], videos, "annotation")
    tracks = _grouped(entries, videos, "result")
    category_ids = sorted({category["id"] for category in truth["categories"]})
    matchings = [
        [
            match_video(videos[video], annotations[video, category], tracks[video, category])
            for video in sorted(videos)
            if annotations[video, category] or tracks[video, category]
        ]
        for category in category_ids
    ]
    return accumulate(category_ids, matchings)


def accumulate(
    category_ids: Sequence[int], matchings: Sequence[Sequence[Matching]]
) -> YouTubeVisAp:
    """Pool the matchings of all videos.

    Args:
        category_ids: K of them.
        matchings: for each category, those of the videos where it occurs.
    """
    shape = (len(IOU_THRESHOLDS), len(category_ids), len(AREA_RANGES), len(MAX_DETECTIONS))
    precision = -np.ones((shape[0], len(RECALLS), *shape[1:]))
    recall = -np.ones(shape)
    for k, of_category in enumerate(matchings):
        for m, limit in enumerate(MAX_DETECTIONS):
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


def _parsed(source: Source, what: str) -> Any:
    if not isinstance(source, str | Path):
        return source
    try:
        return json.loads(Path(source).read_text())
    except OSError as error:
        raise DataError(f"{source}: {what} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{source}: {what} are not JSON ({error})") from error


def _grouped(
    entries: Sequence[Mapping[str, Any]], videos: Mapping[Any, Any], what: str
) -> defaultdict[tuple[Any, Any], list[Mapping[str, Any]]]:
    """Entries by (video id, category id), in their order."""
    groups: defaultdict[tuple[Any, Any], list[Mapping[str, Any]]] = defaultdict(list)
    needed = {"video_id", "category_id", "segmentations"}
    if what == "result":
        needed |= {"score"}
    for position, entry in enumerate(entries):
        missing = needed - entry.keys()
        if missing:
            raise DataError(f"{what} {position}: has no {', '.join(sorted(missing))}")
        if entry["video_id"] not in videos:
            raise DataError(
                f"{what} {position}: video_id {entry['video_id']} is not among the annotations' "
                "videos"
            )
        groups[entry["video_id"], entry["category_id"]].append(entry)
    return groups
