"""How much AP hangs on which videos happened to be in the set.

The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13):
videos are drawn with replacement, as many as there are, again and again, and quantiles of the APs
of the draws bound the interval. Videos are drawn and not tracks, because the tracks of one video
depend on one another. What was matched stays matched; only the pooling is done anew for each draw.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qivis.evaluation.ytvis_map import RECALLS
from qivis.evaluation.ytvis_matching import IOU_THRESHOLDS, Matchings

ANY_AREA = 0
MOST_ELEMENTS = 2**21  # of an array, so that it takes 16 MB however large the set is

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def bootstrap_ap(
    matchings: Matchings, *, draws: int = 1000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The interval of AP, the mean over categories and thresholds, under redrawn videos.

    Args:
        matchings: of V videos, as `match_tracks` gives them.
        draws: how often V videos are drawn.
        confidence: share of the draws' APs that lie between the bounds.
        seed: of the draws.

    Returns:
        Lower and upper bound, in [0, 1]. Draws without any object do not count; if none counts,
        both bounds are -1, as AP is then.
    """
    num_videos = max(1, len(matchings.videos))
    evenly = np.full(num_videos, 1 / num_videos)
    times = np.random.default_rng(seed).multinomial(num_videos, evenly, size=draws)
    by_category = np.stack(
        [np.full(draws, np.nan), *(_ap(_rank(matchings, k), times) for k in matchings.category_ids)]
    )
    known = ~np.isnan(by_category)
    totals, numbers = by_category.sum(axis=0, where=known), known.sum(axis=0)
    counted = totals[numbers > 0] / numbers[numbers > 0]
    if not len(counted):
        return -1.0, -1.0
    outside = (1 - confidence) / 2
    low, high = np.quantile(counted, [outside, 1 - outside])
    return float(low), float(high)


@dataclass(frozen=True)
class _Ranking:
    """The D tracks of one category from all V videos, best score first.

    videos: (D,) indices of their videos.
    right, wrong: (10, D), whether a track answers for an object at a threshold, or is a false
        positive; those that do not count are neither.
    num_objects: (V,).
    """

    videos: Ints
    right: Bools
    wrong: Bools
    num_objects: Ints


def _rank(matchings: Matchings, category: int) -> _Ranking:
    there = {i: video[category] for i, video in enumerate(matchings.videos) if category in video}
    num_objects = np.zeros(max(1, len(matchings.videos)), dtype=np.int64)
    for index, matching in there.items():
        num_objects[index] = np.count_nonzero(~matching.truth_ignored[ANY_AREA])
    scores = np.concatenate([np.zeros(0), *(m.scores for m in there.values())])
    order = np.argsort(-scores, kind="stable")
    nothing = np.zeros((len(IOU_THRESHOLDS), 0), dtype=bool)
    matched = np.concatenate([nothing, *(m.matched[ANY_AREA] for m in there.values())], axis=1)
    ignored = np.concatenate([nothing, *(m.ignored[ANY_AREA] for m in there.values())], axis=1)
    right, wrong = (matched & ~ignored)[:, order], (~matched & ~ignored)[:, order]
    videos = np.repeat([*there], [len(m.scores) for m in there.values()]).astype(np.int64)
    return _Ranking(videos[order], right, wrong, num_objects)


def _ap(ranking: _Ranking, times: Ints) -> Floats:
    """(draws,) AP of a category when each video counts (draws, V) times; nan without objects."""
    num_objects = times @ ranking.num_objects
    sums = np.zeros(len(times))
    step = max(1, MOST_ELEMENTS // max(1, len(ranking.videos)))
    for start in range(0, len(times), step):
        part = slice(start, start + step)
        weights = times[part][:, ranking.videos].astype(float)
        for right, wrong in zip(ranking.right, ranking.wrong, strict=True):
            hits = np.cumsum(weights[:, right], axis=1)
            misses = np.cumsum(weights * wrong, axis=1)[:, right]
            sums[part] += _precision_sum(hits, misses, num_objects[part])
    count = len(IOU_THRESHOLDS) * len(RECALLS)
    return np.where(num_objects > 0, sums / count, np.nan)


def _precision_sum(hits: Floats, misses: Floats, num_objects: Ints) -> Floats:
    """(draws,) precision, summed over the 101 recalls.

    Between the right tracks, recall stays as it is and precision falls: they say all of the curve.

    Args:
        hits, misses: (draws, R), right tracks and false positives up to each of R right tracks.
        num_objects: (draws,).
    """
    precision = hits / np.maximum(1, hits + misses)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.maximum(1, num_objects)[:, None]
    # Each right track is the first to reach some of the recalls.
    reached = np.searchsorted(RECALLS, recall, side="right")
    total: Floats = (envelope * np.diff(reached, axis=1, prepend=0)).sum(axis=1)
    return total
