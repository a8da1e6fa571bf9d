"""Class indices, names, and the ids of data sets."""

import pytest

from qivis.structures import Categories, Category

CATEGORIES = Categories((Category(3, "cat"), Category(7, "dog")))


def test_labels_are_positions() -> None:
    assert (len(CATEGORIES), CATEGORIES.names) == (2, ("cat", "dog"))
    assert [category.id for category in CATEGORIES] == [3, 7]
    assert CATEGORIES.label_of(7) == 1


def test_an_unknown_id_has_no_label() -> None:
    with pytest.raises(KeyError, match="1"):
        CATEGORIES.label_of(1)
