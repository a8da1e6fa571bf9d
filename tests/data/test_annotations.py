"""Annotation files: what is read, which classes are kept, and what is refused."""

from pathlib import Path

import pytest

from qivis.data.annotations import (
    check_fields,
    check_reference,
    choose_categories,
    read_annotations,
    to_mask,
)
from qivis.errors import DataError
from qivis.ops import rle
from qivis.structures import Category

FILE = Path("set.json")
CONTENT = {
    "categories": [
        {"id": 18, "name": "dog", "supercategory": "animal"},
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 17, "name": "cat", "supercategory": "animal"},
    ]
}


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"images": [], "categories": [1]}', encoding="utf-8")
    assert read_annotations(path, "COCO json", ["images"]) == {"images": [], "categories": [1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": []', r"a\.json: not a JSON file"),
        ('{"images": []}', r"a\.json: expected COCO json with 'images', 'categories'"),
        ('["images", "categories"]', r"a\.json: expected COCO json"),
    ],
    ids=["cut off", "without categories", "a list"],
)
def test_another_content_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_annotations(path, "COCO json", ["images", "categories"])


def test_a_missing_file_is_reported_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: cannot be read .*--data-root"):
        read_annotations(tmp_path / "none.json", "COCO json", [])


def test_without_names_the_classes_are_those_of_the_file_by_rising_id() -> None:
    categories, labels = choose_categories(CONTENT, (), FILE)
    assert categories.entries == (Category(1, "person"), Category(17, "cat"), Category(18, "dog"))
    assert labels == {1: 0, 17: 1, 18: 2}


def test_names_pick_categories_and_join_supercategories() -> None:
    categories, labels = choose_categories(CONTENT, ("animal", "person"), FILE)
    assert categories.entries == (Category(1, "animal"), Category(2, "person"))
    assert labels == {1: 1, 17: 0, 18: 0}


def test_a_name_that_the_file_lacks_is_reported_with_those_it_has() -> None:
    with pytest.raises(DataError, match=r"is called bird; there are person, cat, dog"):
        choose_categories(CONTENT, ("cat", "bird"), FILE)


def test_a_category_without_a_name_is_reported() -> None:
    with pytest.raises(DataError, match=r"set\.json: category 4 has no 'name'"):
        choose_categories({"categories": [{"id": 4}]}, (), FILE)


@pytest.mark.parametrize("value", [None, []], ids=["null", "empty list"])
def test_a_field_without_content_is_reported(value: object) -> None:
    check_fields({"id": 0, "bbox": [0]}, ("id", "bbox"), FILE)
    with pytest.raises(DataError, match=r"set\.json: annotation 0 has no 'bbox'"):
        check_fields({"id": 0, "bbox": value}, ("id", "bbox"), FILE)


def test_a_reference_to_something_unlisted_is_reported() -> None:
    check_reference({"id": 5, "image_id": 2}, "image_id", {1, 2}, FILE)
    with pytest.raises(DataError, match=r"set\.json: image 5 has video_id 3, which the file does"):
        check_reference({"id": 5, "video_id": 3}, "video_id", {1, 2}, FILE, "image")


def test_a_mask_is_read_and_a_wrong_one_is_named() -> None:
    square = to_mask([[1, 1, 3, 1, 3, 3, 1, 3]], (4, 6), "annotation 7")
    assert rle.to_box(square) == [1, 1, 2, 2]
    for wrong in (None, [], [3, 4], [[1, 1]], {"size": [4, 5], "counts": [20]}):
        with pytest.raises(DataError, match=r"annotation 7: segmentation: "):
            to_mask(wrong, (4, 6), "annotation 7")
