"""COCO's classes: 80 names with ids from 1 to 90, ten of which were never used."""

from qivis.models.coco_categories import COCO_CATEGORIES


def test_ten_of_the_ninety_ids_are_unused() -> None:
    ids = [category.id for category in COCO_CATEGORIES]
    assert ids == sorted(set(range(1, 91)) - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83})


def test_names_are_different_and_stand_at_their_ids() -> None:
    names = COCO_CATEGORIES.names
    assert len(set(names)) == 80
    for category_id, name in ((1, "person"), (18, "dog"), (44, "bottle"), (90, "toothbrush")):
        assert names[COCO_CATEGORIES.label_of(category_id)] == name
