"""Class lists and the maps between them."""

from collections.abc import Mapping

import pytest

from qivis.data.vis_categories import (
    COCO_TO_OVIS,
    COCO_TO_YOUTUBE_VIS_2019,
    COCO_TO_YOUTUBE_VIS_2021,
    OVIS,
    YOUTUBE_VIS_2019,
    YOUTUBE_VIS_2021,
)
from qivis.models.coco_categories import COCO_CATEGORIES
from qivis.structures import Categories

COCO_NAMES = {category.id: category.name for category in COCO_CATEGORIES}


@pytest.mark.parametrize(
    ("categories", "number", "some"),
    [
        (YOUTUBE_VIS_2019, 40, {1: "person", 6: "sedan", 40: "tennis_racket"}),
        (YOUTUBE_VIS_2021, 40, {1: "airplane", 26: "person", 40: "zebra"}),
        (OVIS, 25, {1: "Person", 13: "Giant_panda", 25: "Vehical"}),
    ],
    ids=["2019", "2021", "ovis"],
)
def test_classes_count_from_one_in_the_official_order(
    categories: Categories, number: int, some: dict[int, str]
) -> None:
    names = {category.id: category.name for category in categories}
    assert sorted(names) == list(range(1, number + 1))
    assert len(set(names.values())) == number
    assert {key: names[key] for key in some} == some


# What COCO calls otherwise than the video sets.
SYNONYMS = {
    "2019": {
        ("bicycle", "motorbike"),
        ("motorcycle", "motorbike"),
        ("car", "sedan"),
        ("skis", "snowboard"),
        ("tennis racket", "tennis_racket"),
    },
    "2021": {
        ("bicycle", "motorbike"),
        ("motorcycle", "motorbike"),
        ("frisbee", "flying_disc"),
        ("skis", "snowboard"),
        ("tennis racket", "tennis_racket"),
    },
    "ovis": {("car", "vehical"), ("bus", "vehical"), ("truck", "vehical")},
}


@pytest.mark.parametrize(
    ("ids", "categories", "key"),
    [
        (COCO_TO_YOUTUBE_VIS_2019, YOUTUBE_VIS_2019, "2019"),
        (COCO_TO_YOUTUBE_VIS_2021, YOUTUBE_VIS_2021, "2021"),
        (COCO_TO_OVIS, OVIS, "ovis"),
    ],
    ids=["2019", "2021", "ovis"],
)
def test_a_mapped_class_is_the_same_thing_by_another_number(
    ids: Mapping[int, int], categories: Categories, key: str
) -> None:
    names = {category.id: category.name.lower() for category in categories}
    pairs = {(COCO_NAMES[coco], names[number]) for coco, number in ids.items()}
    assert {(one, other) for one, other in pairs if one != other} == SYNONYMS[key]
