import json

import pytest
import torch
from pycocotools import mask as coco_mask

from qivis.export.ytvis_json import to_entries, write_entries
from qivis.ops import rle
from qivis.structures import Categories, Category, Track

CATEGORIES = Categories((Category(1, "person"), Category(18, "dog")))


@pytest.fixture
def masks():
    return torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(0)) > 0.5


@pytest.fixture
def tracks(masks):
    first, second = rle.encode(masks)
    return [Track(0, 1, 0.5, (first, None, second)), Track(3, 0, 0.25, (None, None, first))]


def test_an_entry_says_what_the_official_format_asks_and_what_a_person_asks(tracks):
    first, second = to_entries(12, tracks, CATEGORIES)
    assert (first["video_id"], first["category_id"], first["score"]) == (12, 18, 0.5)
    assert (first["track_id"], first["category"]) == (0, "dog")
    assert (second["category_id"], second["track_id"], second["category"]) == (1, 3, "person")
    assert [len(entry["segmentations"]) for entry in (first, second)] == [3, 3]


def test_pycocotools_reads_the_exact_masks_back_from_the_file(tracks, masks, tmp_path):
    write_entries(to_entries(1, tracks, CATEGORIES), tmp_path / "tracks.json")
    first, second = json.loads((tmp_path / "tracks.json").read_text())
    assert first["segmentations"][1] is None
    read = [first["segmentations"][0], first["segmentations"][2], second["segmentations"][2]]
    for segmentation, mask in zip(read, masks[[0, 1, 0]], strict=True):
        assert isinstance(segmentation["counts"], str)
        assert torch.from_numpy(coco_mask.decode(segmentation)).bool().equal(mask)


def test_a_video_without_tracks_is_an_empty_list(tmp_path):
    write_entries(to_entries(1, [], CATEGORIES), tmp_path / "tracks.json")
    assert json.loads((tmp_path / "tracks.json").read_text()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tracks, tmp_path):
    path = tmp_path / "tracks.json"
    path.write_text("old")
    entries = to_entries(1, tracks, CATEGORIES)
    entries[0]["category"] = object()
    with pytest.raises(TypeError):
        write_entries(entries, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
