from typing import Any

import numpy as np
import pytest
import torch

from qivis.evaluation.bootstrap import bootstrap_ap
from qivis.evaluation.ytvis_map import accumulate
from qivis.evaluation.ytvis_matching import Matchings, match_tracks
from qivis.ops import rle
from tests.evaluation.trackeval_reference import random_case

BOX = rle.encode(torch.ones(1, 4, 5, dtype=torch.bool))[0]


def matchings(*videos: str) -> Matchings:
    """Videos in which the one object is `found` or `missed`, or with a `false` track or `empty`."""
    entry: dict[str, Any] = {"category_id": 1, "segmentations": [BOX]}
    return match_tracks(
        {
            "videos": [{"id": index} for index in range(len(videos))],
            "categories": [{"id": 1}],
            "annotations": [
                entry | {"id": index, "video_id": index}
                for index, video in enumerate(videos)
                if video in {"found", "missed"}
            ],
        },
        [
            entry | {"video_id": index, "score": 0.5}
            for index, video in enumerate(videos)
            if video in {"found", "false"}
        ],
    )


def test_videos_that_are_all_alike_leave_no_doubt() -> None:
    assert bootstrap_ap(matchings(*["found"] * 5)) == (1, 1)
    assert bootstrap_ap(matchings(*["missed"] * 5)) == (0, 0)


def test_two_unlike_videos_leave_every_doubt() -> None:
    # Both are the same one in half of the draws.
    assert bootstrap_ap(matchings("found", "missed")) == (0, 1)
    # Recall of one half: 51 of 101 recalls are reached.
    assert bootstrap_ap(matchings("found", "missed"), confidence=0.1) == pytest.approx(
        (51 / 101, 51 / 101)
    )


def test_more_videos_leave_less_doubt() -> None:
    low, high = bootstrap_ap(matchings(*["found", "missed"] * 50))
    # The share of found ones in 100 draws has a standard deviation of 0.05.
    assert low == pytest.approx(0.4, abs=0.03)
    assert high == pytest.approx(0.6, abs=0.03)


def test_the_seed_says_which_videos_are_drawn() -> None:
    some = matchings(*["found", "missed", "false"] * 7)
    assert bootstrap_ap(some, seed=3) == bootstrap_ap(some, seed=3)
    bounds = [bootstrap_ap(some, draws=20, seed=seed) for seed in range(4)]
    assert len(set(bounds)) > 1


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_is_worth_what_its_videos_are_worth(seed: int) -> None:
    truth, results = random_case(seed, crowds=True)
    # Where scores are equal, the order of the copies of a video would matter.
    scores = np.random.default_rng(seed).permutation(len(results)) / len(results)
    for entry, score in zip(results, scores, strict=True):
        entry["score"] = float(score)
    once = match_tracks(truth, results)
    times = np.random.default_rng(seed).multinomial(10, [0.1] * 10)
    drawn = [video for video, n in zip(once.videos, times, strict=True) for _ in range(n)]
    ap = accumulate(Matchings(once.category_ids, drawn)).stats[0]
    assert 0.1 < ap < 0.9
    assert bootstrap_ap(once, draws=1, seed=seed) == pytest.approx((ap, ap), abs=1e-12)


def test_memory_bounds_the_draws_that_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = matchings(*["found", "missed", "false"] * 7)
    expected = bootstrap_ap(some)
    monkeypatch.setattr("qivis.evaluation.bootstrap.MOST_ELEMENTS", 100)
    assert bootstrap_ap(some) == pytest.approx(expected, abs=1e-12)


def test_draws_without_objects_do_not_count() -> None:
    assert bootstrap_ap(matchings("found", "empty")) == (1, 1)
    assert bootstrap_ap(matchings("false", "empty")) == (-1, -1)
    assert bootstrap_ap(matchings()) == (-1, -1)
