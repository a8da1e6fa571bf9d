import pytest
import torch

from qivis.export.ytvis_json import to_entries
from qivis.ops import rle
from qivis.structures import Categories, Category, Track, View

CATEGORIES = Categories((Category(1, "person"), Category(18, "dog")))


@pytest.fixture
def masks():
    return torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(0)) > 0.5


@pytest.fixture
def tracks(masks):
    first, second = rle.encode(masks)
    seen = View(first, 0.75, 1.0), None, View(second, 0.25, 0.9)
    return [Track(0, 1, seen), Track(3, 0, (None, None, View(first, 0.25, 1.0)))]


def test_an_entry_says_what_the_official_format_asks_and_what_a_person_asks(tracks):
    first, second = to_entries(12, tracks, CATEGORIES)
    assert (first["video_id"], first["category_id"], first["score"]) == (12, 18, 0.5)
    assert (first["track_id"], first["category"]) == (0, "dog")
    assert (second["category_id"], second["track_id"], second["category"]) == (1, 3, "person")
    assert [len(entry["segmentations"]) for entry in (first, second)] == [3, 3]
