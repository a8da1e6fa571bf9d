"""Tracks and objects of one video, small enough to count pixels."""

from typing import Any

import numpy as np
import pytest
import torch

from qivis.errors import DataError
from qivis.evaluation.ytvis_matching import match_video, track_overlaps
from qivis.ops import rle

VIDEO = {"id": 5, "height": 10, "width": 20}
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


def test_overlaps_of_tracks_add_up_over_frames() -> None:
    # 50 of 100 pixels, then 50 where nothing is wanted: 50 / (100 + 50).
    overlaps = track_overlaps([[bar(0, 5), bar(0, 5)]], [[bar(0, 10), None]])
    assert overlaps.tolist() == [[pytest.approx(1 / 3)]]


def test_frames_beyond_the_shorter_list_do_not_count() -> None:
    assert track_overlaps([[bar(0, 5)]], [[bar(0, 5), bar(0, 5)]]).tolist() == [[1.0]]


def test_tracks_that_are_never_seen_overlap_nothing() -> None:
    assert track_overlaps([[None]], [[None]]).tolist() == [[0.0]]
    assert track_overlaps([], [[bar(0, 5)]]).shape == (0, 1)


def test_the_better_scored_track_takes_the_object() -> None:
    matching = match_video(
        VIDEO, [wanted(bar(0, 10))], [found(bar(0, 10), score=0.2), found(bar(0, 8), score=0.9)]
    )
    assert matching.scores.tolist() == [0.9, 0.2]
    assert matching.matched[ALL, AT_50].tolist() == [True, False]
    # 8 of 10 columns: up to the threshold 0.8 the first, above it the exact one.
    assert matching.matched[ALL, :, 0].tolist() == [True] * 7 + [False] * 3
    assert matching.matched[ALL, :, 1].tolist() == [False] * 7 + [True] * 3


def test_each_track_takes_the_object_that_it_overlaps_most() -> None:
    objects = [wanted(bar(0, 8)), wanted(bar(0, 10))]
    matching = match_video(VIDEO, objects, [found(bar(0, 10)), found(bar(0, 8))])
    assert matching.matched[ALL].all()


def test_an_object_that_counts_goes_before_a_crowd_that_fits_better() -> None:
    objects = [wanted(bar(0, 10), crowd=True), wanted(bar(0, 8))]
    matching = match_video(VIDEO, objects, [found(bar(0, 10)), found(bar(0, 10))])
    assert matching.ignored[ALL, AT_75].tolist() == [False, True]
    assert matching.truth_ignored[ALL].tolist() == [True, False]


def test_areas_outside_a_range_do_not_count() -> None:
    matching = match_video(VIDEO, [wanted(bar(0, 10))], [found(bar(10, 20))])
    assert matching.truth_ignored[:, 0].tolist() == [False, False, True, True]
    assert matching.ignored[:, AT_50, 0].tolist() == [False, False, True, True]


def test_the_mean_area_is_over_the_frames_in_which_the_object_is_seen() -> None:
    objects = [{**wanted(bar(0, 10)), "areas": [128**2 + 1, None, 0]}]
    matching = match_video(VIDEO, objects, [])
    assert matching.truth_ignored[:, 0].tolist() == [False, True, False, True]
    assert matching.scores.size == 0


def test_only_the_best_hundred_tracks_are_looked_at() -> None:
    tracks = [found(bar(0, 2), score=score) for score in np.linspace(0, 1, 120)]
    matching = match_video(VIDEO, [wanted(bar(0, 2))], tracks)
    assert len(matching.scores) == 100
    assert matching.scores.min() == pytest.approx(20 / 119)


def test_polygons_and_uncompressed_run_lengths_are_read() -> None:
    polygon = [[0, 0, 10, 0, 10, 10, 0, 10]]
    uncompressed = {"size": [10, 20], "counts": [0, 100, 100]}
    matching = match_video(VIDEO, [wanted(bar(0, 10))], [found(polygon), found(uncompressed)])
    assert matching.matched[ALL, AT_75].tolist() == [True, False]


def test_a_segmentation_that_is_none_is_named() -> None:
    with pytest.raises(DataError, match="video 5, frame 1: expected polygons"):
        match_video(VIDEO, [], [found(None, [[0, 0, 1, 1]])])
