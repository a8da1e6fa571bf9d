"""Tracks of four frames, whose errors can be counted."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qivis.errors import DataError
from qivis.evaluation.track_metrics import TrackFigures, TrackMetrics, measure_tracks
from qivis.ops import rle
from tests.evaluation.trackeval_reference import (
    CLASSES,
    random_case,
    trackeval_dataset,
    trackeval_figures,
)

pytest.importorskip(
    "trackeval", reason="trackeval is not installed (pip install 'qivis[track-metrics]')"
)
CAT, DOG = 3, 9


def bar(start: int, end: int) -> rle.Rle:
    """Columns `start` to `end` of a picture of 10 x 20 pixels."""
    mask = torch.zeros(1, 10, 20, dtype=torch.bool)
    mask[0, :, start:end] = True
    return rle.encode(mask)[0]


LEFT, RIGHT = bar(0, 8), bar(10, 20)


def measure(
    annotated: list[list[Any]],
    found: list[list[Any]],
    *,
    crowds: tuple[int, ...] = (),
    categories: tuple[int, int] = (CAT, CAT),
) -> TrackMetrics:
    """One video; crowds are indices of objects, categories those of all objects and all tracks."""
    of_objects, of_tracks = categories
    truth = {
        "videos": [{"id": 7}, {"id": 8}],
        "categories": [{"id": CAT}, {"id": DOG}],
        "annotations": [
            {"video_id": 7, "category_id": of_objects, "segmentations": masks}
            | {"id": index, "iscrowd": int(index in crowds)}
            for index, masks in enumerate(annotated)
        ],
    }
    results = [
        {"video_id": 7, "category_id": of_tracks, "score": 0.1, "segmentations": masks}
        for masks in found
    ]
    return measure_tracks(truth, results)


def test_tracks_that_are_the_objects_are_perfect() -> None:
    objects = [[LEFT, LEFT, None, LEFT], [None, RIGHT, RIGHT, None]]
    perfect = TrackFigures(hota=1, det_a=1, ass_a=1, idf1=1, mota=1, id_switches=0)
    assert measure(objects, objects) == TrackMetrics(perfect, {CAT: perfect, DOG: None})


def test_two_tracks_that_swap_their_objects() -> None:
    objects = [[LEFT] * 4, [RIGHT] * 4]
    swapped = [[LEFT, LEFT, RIGHT, RIGHT], [RIGHT, RIGHT, LEFT, LEFT]]
    figures = measure(objects, swapped).overall
    assert figures.id_switches == 2
    assert figures.idf1 == 0.5  # each track is right about its object in 2 of 4 frames
    assert figures.mota == 1 - 2 / 8
    assert figures.det_a == 1
    # Each mask shares 2 masks with its object, which are of 6 that either has.
    assert figures.ass_a == pytest.approx(1 / 3)
    assert figures.hota == pytest.approx(math.sqrt(1 / 3))


def test_masks_count_as_found_by_their_overlap() -> None:
    # 4 of 8 columns: enough for IDF1, and for 10 of the 19 overlaps 0.05, 0.10 ... 0.95.
    half = measure([[LEFT] * 4], [[bar(0, 4)] * 4]).overall
    assert (half.idf1, half.mota) == (1, 1)
    assert half.det_a == pytest.approx(10 / 19)
    assert half.hota == pytest.approx(10 / 19)
    less = measure([[LEFT] * 4], [[bar(0, 3)] * 4]).overall
    assert (less.idf1, less.mota) == (0, -1)


def test_misses_and_false_tracks_are_errors_of_detection() -> None:
    figures = measure([[LEFT] * 4], [[LEFT, LEFT, None, LEFT], [None, RIGHT, None, None]]).overall
    assert figures.mota == 1 - 2 / 4
    assert figures.idf1 == pytest.approx(2 * 3 / (4 + 4))
    assert figures.det_a == pytest.approx(3 / 5)
    assert figures.ass_a == pytest.approx(3 / 4)
    assert figures.id_switches == 0


def test_a_track_of_another_category_finds_nothing() -> None:
    measured = measure([[LEFT] * 4], [[LEFT] * 4], categories=(CAT, DOG))
    assert measured.per_class[CAT] == TrackFigures(0, 0, 0, 0, 0, 0)
    assert measured.per_class[DOG] is None
    assert measured.overall.mota == -1


def test_what_is_found_in_a_crowd_does_not_count() -> None:
    objects = [[bar(0, 12)] * 4, [bar(10, 20)] * 4]
    # Three of its four columns lie in the crowd; the track of the object lies there by a fifth.
    inside = [[bar(9, 13)] * 4, [bar(10, 20)] * 4]
    assert measure(objects, inside, crowds=(0,)).overall.mota == 1
    assert measure(objects, inside).overall.mota < 1
    # By half is not by more than half.
    assert measure(objects, [[bar(9, 15)] * 4, [bar(10, 20)] * 4], crowds=(0,)).overall.mota == 0


def test_an_object_in_a_crowd_can_be_found() -> None:
    objects = [[bar(0, 20)] * 4, [LEFT] * 4]
    assert measure(objects, [[LEFT] * 4], crowds=(0,)).overall.idf1 == 1
    nothing = measure(objects[:1], [], crowds=(0,))
    assert nothing.per_class == {CAT: None, DOG: None}


def test_masks_without_pixels_and_lists_of_other_lengths_are_accepted() -> None:
    objects = [[LEFT, LEFT, None, None], [None] * 4]
    figures = measure(objects, [[LEFT, LEFT, bar(3, 3)], [None]]).overall
    assert (figures.hota, figures.mota) == (1, 1)


def test_no_objects_and_no_tracks_are_worth_nothing() -> None:
    empty = TrackFigures(0, 0, 0, 0, 0, 0)
    assert measure([], []) == TrackMetrics(empty, {CAT: None, DOG: None})
    assert measure_tracks({"videos": [], "categories": []}, []).overall == empty


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_trackeval(seed: int, tmp_path: Path) -> None:
    from trackeval.metrics import CLEAR, HOTA, Identity

    truth, results = random_case(seed, crowds=False)
    measured = measure_tracks(truth, results)
    dataset = trackeval_dataset(tmp_path, truth, results)
    ours = {CLASSES[k]: figures for k, figures in measured.per_class.items() if figures}
    assert len(ours) == 3
    for metric, fields in (
        (HOTA(), {"hota": "HOTA", "det_a": "DetA", "ass_a": "AssA"}),
        (Identity({"PRINT_CONFIG": False}), {"idf1": "IDF1"}),
        (CLEAR({"PRINT_CONFIG": False}), {"mota": "MOTA", "id_switches": "IDSW"}),
    ):
        theirs = trackeval_figures(dataset, metric)
        expected = theirs | {"all": metric.combine_classes_det_averaged(theirs)}
        for name, figures in {**ours, "all": measured.overall}.items():
            for field, of_theirs in fields.items():
                value = np.mean(expected[name][of_theirs])
                assert getattr(figures, field) == pytest.approx(value, abs=1e-9), (name, field)


def test_a_missing_trackeval_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(DataError, match=r"pip install 'qivis\[track-metrics\]'"):
        measure([], [])
