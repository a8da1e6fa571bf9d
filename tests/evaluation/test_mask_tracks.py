"""Tracks of masks, small enough to count pixels."""

from typing import Any

import pytest
import torch

from qivis.errors import DataError
from qivis.evaluation.mask_tracks import (
    MaskTracks,
    mean_areas,
    read_mask_tracks,
    shared_pixels,
    track_overlaps,
)
from qivis.ops import rle

VIDEO = {"id": 5, "height": 10, "width": 20}


def bar(start: int, end: int) -> rle.Rle:
    """Columns `start` to `end` of a picture of 10 x 20 pixels."""
    mask = torch.zeros(1, 10, 20, dtype=torch.bool)
    mask[0, :, start:end] = True
    return rle.encode(mask)[0]


def tracks(*segmentations: list[Any]) -> MaskTracks:
    return read_mask_tracks([{"segmentations": masks} for masks in segmentations], VIDEO)


def test_areas_are_of_the_frames_in_which_a_track_is_seen() -> None:
    read = tracks([bar(0, 5), None, bar(3, 3)], [bar(0, 1)])
    assert read.areas.tolist() == [[50, 0, 0], [10, 0, 0]]
    assert read.lengths().tolist() == [3, 1]
    assert [read.seen(frame).tolist() for frame in range(3)] == [[0, 1], [], []]
    assert mean_areas(read.areas).tolist() == [50, 10]


def test_no_track_and_tracks_without_frames_are_tracks_too() -> None:
    assert tracks().areas.shape == (0, 0)
    assert tracks([], []).areas.shape == (2, 0)
    assert mean_areas(tracks([], [None]).areas).tolist() == [0, 0]
    assert list(shared_pixels(tracks(), tracks([bar(0, 1)]))) == []


def test_polygons_and_run_lengths_of_every_kind_are_read() -> None:
    polygon = [[0, 0, 10, 0, 10, 10, 0, 10]]
    listed = {"size": [10, 20], "counts": [0, 100, 100]}
    compressed = bar(0, 10)
    as_bytes = {**compressed, "counts": compressed["counts"].encode()}
    assert tracks([polygon, listed, compressed, as_bytes]).areas.tolist() == [[100] * 4]


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[0, 0, 1, 1]], "video 5, frame 1: expected polygons"),
        ({"counts": [3, 197]}, "video 5, frame 1: 'size'"),
        ("mask", "video 5, frame 1: "),
    ],
    ids=["two points", "no size", "text"],
)
def test_a_segmentation_that_is_none_is_named(segmentation: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        tracks([None, segmentation])


def test_shared_pixels_are_counted_where_there_are_both() -> None:
    found = tracks([bar(0, 6), None], [bar(8, 12), bar(0, 1)])
    wanted = tracks([bar(4, 10), None, bar(0, 1)])
    (common,) = shared_pixels(found, wanted)
    assert (common.frame, common.rows.tolist(), common.columns.tolist()) == (0, [0, 1], [0])
    assert common.pixels.tolist() == [[20], [20]]
    assert common.overlaps.tolist() == [[0.2], [0.25]]


def test_overlaps_of_tracks_add_up_over_frames() -> None:
    # 50 of 100 pixels, then 50 where nothing is wanted: 50 / (100 + 50).
    overlaps = track_overlaps(tracks([bar(0, 5), bar(0, 5)]), tracks([bar(0, 10), None]))
    assert overlaps.tolist() == [[pytest.approx(1 / 3)]]


def test_frames_beyond_the_shorter_track_do_not_count() -> None:
    short, long = tracks([bar(0, 5)]), tracks([bar(0, 5), bar(0, 5)], [bar(0, 10)])
    assert track_overlaps(short, long).tolist() == [[1, 0.5]]
    assert track_overlaps(long, short).tolist() == [[1], [0.5]]


def test_tracks_that_are_never_seen_overlap_nothing() -> None:
    assert track_overlaps(tracks([None]), tracks([None])).tolist() == [[0]]
    assert track_overlaps(tracks(), tracks([bar(0, 5)])).shape == (0, 1)
    assert track_overlaps(tracks([bar(0, 5)]), tracks()).shape == (1, 0)
