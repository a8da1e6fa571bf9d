"""Tracks and objects of one video, small enough to count pixels."""

from typing import Any

import numpy as np
import pytest
import torch

from qivis.evaluation.ytvis_input import VideoEntries
from qivis.evaluation.ytvis_matching import Matching, match_tracks, match_video
from qivis.ops import rle

VIDEO = {"id": 5, "height": 10, "width": 20}
CAT, DOG = 3, 9
ALL, SMALL, MEDIUM = 0, 1, 2
AT_50, AT_75 = 0, 5


def bar(start: int, end: int) -> rle.Rle:
    """Columns `start` to `end` of a picture of 10 x 20 pixels."""
    mask = torch.zeros(1, 10, 20, dtype=torch.bool)
    mask[0, :, start:end] = True
    return rle.encode(mask)[0]


def found(*masks: Any, score: float = 0.5) -> dict[str, Any]:
    return {"segmentations": list(masks), "score": score}


def wanted(*masks: Any, crowd: bool = False) -> dict[str, Any]:
    areas = [None if mask is None else rle.area(mask) for mask in masks]
    return {"segmentations": list(masks), "areas": areas, "iscrowd": int(crowd)}


def match(
    annotations: list[dict[str, Any]], results: list[dict[str, Any]], most: int = 100
) -> Matching:
    return match_video(VideoEntries(VIDEO, {CAT: annotations}, {CAT: results}), most)[CAT]


def test_the_better_scored_track_takes_the_object() -> None:
    matching = match(
        [wanted(bar(0, 10))], [found(bar(0, 10), score=0.2), found(bar(0, 8), score=0.9)]
    )
    assert matching.scores.tolist() == [0.9, 0.2]
    assert matching.matched[ALL, AT_50].tolist() == [True, False]
    # 8 of 10 columns: up to the threshold 0.8 the first, above it the exact one.
    assert matching.matched[ALL, :, 0].tolist() == [True] * 7 + [False] * 3
    assert matching.matched[ALL, :, 1].tolist() == [False] * 7 + [True] * 3


def test_each_track_takes_the_object_that_it_overlaps_most() -> None:
    objects = [wanted(bar(0, 8)), wanted(bar(0, 10))]
    matching = match(objects, [found(bar(0, 10)), found(bar(0, 8))])
    assert matching.matched[ALL].all()


def test_an_object_that_counts_goes_before_a_crowd_that_fits_better() -> None:
    objects = [wanted(bar(0, 10), crowd=True), wanted(bar(0, 8))]
    matching = match(objects, [found(bar(0, 10)), found(bar(0, 10))])
    assert matching.ignored[ALL, AT_75].tolist() == [False, True]
    assert matching.truth_ignored[ALL].tolist() == [True, False]


def test_areas_outside_a_range_do_not_count() -> None:
    matching = match([wanted(bar(0, 10))], [found(bar(10, 20))])
    assert matching.truth_ignored[:, 0].tolist() == [False, False, True, True]
    assert matching.ignored[:, AT_50, 0].tolist() == [False, False, True, True]


def test_the_mean_area_is_over_the_frames_in_which_the_object_is_seen() -> None:
    objects = [{**wanted(bar(0, 10)), "areas": [128**2 + 1, None, 0]}]
    matching = match(objects, [])
    assert matching.truth_ignored[:, 0].tolist() == [False, True, False, True]
    assert matching.scores.size == 0


def test_areas_that_are_not_stated_are_measured() -> None:
    (large,) = rle.encode(torch.ones(1, 130, 140, dtype=torch.bool))
    annotation = wanted(large, None, large)
    stated, measured = match([annotation], []), match([annotation | {"areas": None}], [])
    assert stated.truth_ignored[:, 0].tolist() == [False, True, False, True]
    assert measured.truth_ignored.tolist() == stated.truth_ignored.tolist()


@pytest.mark.parametrize("most", [100, 7])
def test_only_the_best_tracks_are_looked_at(most: int) -> None:
    tracks = [found(bar(0, 2), score=score) for score in np.linspace(0, 1, 120)]
    matching = match([wanted(bar(0, 2))], tracks, most)
    assert len(matching.scores) == most
    assert matching.scores.min() == pytest.approx((120 - most) / 119)


def test_tracks_are_matched_with_objects_of_their_category() -> None:
    entries = VideoEntries(VIDEO, {CAT: [wanted(bar(0, 9))]}, {DOG: [found(bar(0, 9))]})
    matchings = match_video(entries)
    assert matchings.keys() == {CAT, DOG}
    assert matchings[CAT].truth_ignored.shape == (4, 1)
    assert matchings[CAT].matched.shape == (4, 10, 0)
    assert not matchings[DOG].matched[ALL].any()


def test_all_videos_are_matched_in_the_order_of_their_ids() -> None:
    truth = {
        "videos": [{**VIDEO, "id": 6}, VIDEO],
        "categories": [{"id": DOG}, {"id": CAT}],
        "annotations": [wanted(bar(0, 9)) | {"video_id": 6, "category_id": CAT}],
    }
    results = [found(bar(0, 9)) | {"video_id": 5, "category_id": DOG}]
    matchings = match_tracks(truth, results)
    assert matchings.category_ids == [CAT, DOG]
    assert [list(video) for video in matchings.videos] == [[DOG], [CAT]]
