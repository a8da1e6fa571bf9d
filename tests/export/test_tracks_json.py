import json
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from pycocotools import mask as coco_mask

from qivis.errors import DataError
from qivis.export.tracks_json import read_tracks, write_tracks
from qivis.ops import rle
from qivis.structures import Categories, Category, Track, TrackedClip, View

CATEGORIES = Categories((Category(1, "person"), Category(18, "dog")))
SIZE, FPS = (7, 9), Fraction(30000, 1001)


@pytest.fixture
def clip():
    masks = torch.rand(2, *SIZE, generator=torch.Generator().manual_seed(0)) > 0.5
    first, second = rle.encode(masks)
    tracks = (
        Track(0, 1, (View(first, 0.1 + 0.2, 1.0), None, None, View(second, 0.3, 0.9))),
        Track(3, 0, (None, None, None, View(first, 0.25, 1.0))),
    )
    return TrackedClip(SIZE, FPS, (0.0, 0.033367, None, 0.1), CATEGORIES, tracks)


def read(path, num_frames=4):
    return read_tracks(path, SIZE, FPS, num_frames * [0.5], CATEGORIES)


def test_what_is_written_is_read_back_to_the_last_digit(clip, tmp_path):
    write_tracks(clip, tmp_path / "tracks.json")
    assert read(tmp_path / "tracks.json") == clip


def test_an_entry_says_when_and_how_surely_the_object_is_seen(clip, tmp_path):
    write_tracks(clip, tmp_path / "tracks.json")
    entry = json.loads((tmp_path / "tracks.json").read_text())[0]
    assert (entry["track_id"], entry["category_id"], entry["category"]) == (0, 18, "dog")
    assert entry["times"] == [0.0, 0.033367, None, 0.1]
    assert entry["scores"] == [0.1 + 0.2, None, None, 0.3]
    assert entry["likeness"] == [1.0, None, None, 0.9]
    assert entry["score"] == pytest.approx(0.3)


def test_pycocotools_reads_the_exact_masks_back_from_the_file(clip, tmp_path):
    write_tracks(clip, tmp_path / "tracks.json")
    first, second = json.loads((tmp_path / "tracks.json").read_text())
    assert first["segmentations"][1] is None
    masks = torch.rand(2, *SIZE, generator=torch.Generator().manual_seed(0)) > 0.5
    read = [first["segmentations"][0], first["segmentations"][3], second["segmentations"][3]]
    for segmentation, mask in zip(read, masks[[0, 1, 0]], strict=True):
        assert isinstance(segmentation["counts"], str)
        assert torch.from_numpy(coco_mask.decode(segmentation)).bool().equal(mask)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(clip, tmp_path):
    path = tmp_path / "tracks.json"
    path.write_text("old")
    unwritable = replace(clip.tracks[0], track_id=object())
    with pytest.raises(TypeError):
        write_tracks(replace(clip, tracks=(unwritable,)), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_clip_without_tracks_is_an_empty_list(tmp_path):
    times = (0.0, None, 0.7)
    clip = TrackedClip(SIZE, Fraction(10), times, CATEGORIES, ())
    write_tracks(clip, tmp_path / "tracks.json")
    assert json.loads((tmp_path / "tracks.json").read_text()) == []
    assert read_tracks(tmp_path / "tracks.json", SIZE, Fraction(10), times, CATEGORIES) == clip


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[{}]", '[{"track_id": 1}]'])
def test_a_file_of_another_kind_is_named(content, tmp_path):
    (tmp_path / "tracks.json").write_text(content)
    with pytest.raises(DataError, match=r"tracks\.json: .*expected what qivis-infer writes"):
        read(tmp_path / "tracks.json")


def test_a_file_of_another_clip_is_named(clip, tmp_path):
    write_tracks(clip, tmp_path / "tracks.json")
    with pytest.raises(DataError, match="expected 5 frames"):
        read(tmp_path / "tracks.json", num_frames=5)
