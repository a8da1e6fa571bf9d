"""Annotation files: what is read, which classes are kept, and what is refused."""

from pathlib import Path

import pytest

from qivis.data.annotations import choose_categories, read_annotations, read_categories
from qivis.data.rejects import Reject, Sieve
from qivis.errors import DataError
from qivis.structures import Category

FILE = Path("set.json")
LISTED = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 17, "name": "cat", "supercategory": "animal"},
    {"id": 18, "name": "dog", "supercategory": "animal"},
]


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
        ("[" * 100_000, r"a\.json: not an annotation file \(lists in lists"),
        ('{"images": "\xff"}', r"a\.json: not a JSON file \(.*can't decode byte"),
    ],
    ids=["cut off", "without categories", "a list", "deep", "not UTF-8"],
)
def test_another_content_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=message):
        read_annotations(path, "COCO json", ["images", "categories"])


def test_a_missing_file_is_reported_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: cannot be read .*--data-root"):
        read_annotations(tmp_path / "none.json", "COCO json", [])


def test_without_names_the_classes_are_those_of_the_file_by_rising_id() -> None:
    categories, labels = choose_categories(LISTED, (), FILE)
    assert categories.entries == (Category(1, "person"), Category(17, "cat"), Category(18, "dog"))
    assert labels == {1: 0, 17: 1, 18: 2}


def test_names_pick_categories_and_join_supercategories() -> None:
    categories, labels = choose_categories(LISTED, ("animal", "person"), FILE)
    assert categories.entries == (Category(1, "animal"), Category(2, "person"))
    assert labels == {1: 1, 17: 0, 18: 0}


def test_a_name_that_the_file_lacks_is_reported_with_those_it_has() -> None:
    with pytest.raises(DataError, match=r"is called bird; there are person, cat, dog"):
        choose_categories(LISTED, ("cat", "bird"), FILE)


def test_a_name_that_is_given_twice_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"data\.class_names: expected names that differ, got cat m"
    ):
        choose_categories(LISTED, ("cat", "dog", "cat"), FILE)


def test_categories_of_one_name_are_refused_unless_names_make_one_class_of_them() -> None:
    twins = [*LISTED, {"id": 20, "name": "cat", "supercategory": "animal"}]
    with pytest.raises(
        DataError, match=r"set\.json: 'categories': expected names that differ, got"
    ):
        choose_categories(twins, (), FILE)
    categories, labels = choose_categories(twins, ("cat",), FILE)
    assert categories.entries == (Category(1, "cat"),)
    assert labels == {17: 0, 20: 0}


def test_categories_are_read_by_rising_id_without_those_that_cannot_be_used() -> None:
    sieve = Sieve(FILE, strict=False)
    content = {"categories": [LISTED[2], LISTED[0], {"id": 4}, {"id": 1, "name": "again"}]}
    assert read_categories(content, FILE, sieve) == [LISTED[0], LISTED[2]]
    assert sieve.rejects == (
        Reject("category", 4, "name is missing"),
        Reject("category", 1, "its id is that of an earlier one"),
    )


def test_a_category_without_a_name_is_an_error_where_that_is_asked() -> None:
    with pytest.raises(DataError, match=r"set\.json: category 4: name is missing"):
        read_categories({"categories": [{"id": 4}]}, FILE, Sieve(FILE, strict=True))


def test_a_file_without_any_category_is_refused() -> None:
    with pytest.raises(DataError, match=r"set\.json: 'categories' has none that can be used"):
        read_categories({"categories": [{"id": 4}]}, FILE, Sieve(FILE, strict=False))
