from qivis.export.dataset_entries import category_entries, frame_names, info
from tests.tracked_clip import CATEGORIES, LOST, tracked_clip


def test_every_frame_has_a_name_also_a_lost_one():
    names = frame_names(tracked_clip(), "my clip", ())
    assert names == [f"my clip/0000{frame}.jpg" for frame in range(5)]
    assert names[LOST] == "my clip/00002.jpg"


def test_classes_keep_their_numbers_and_order():
    entries = category_entries(CATEGORIES)
    assert [(entry["id"], entry["name"]) for entry in entries] == [
        (1, "person"),
        (18, "dog"),
        (44, "vehicle"),
    ]


def test_what_is_said_of_a_file_has_no_date():
    assert info("dog") == {"description": "Objects of dog, found and followed by qivis"}
