"""Names of objects, and what is said of what are no names of classes."""

import numpy as np
import pytest
import torch

from qivis.errors import DataError
from qivis.structures import Categories, Category
from qivis.viz.names import names_of

LABELS = torch.tensor([2, 0])


@pytest.mark.parametrize("names", [("a", "b", "c"), ["a", "b", "c"], np.array(["a", "b", "c"])])
def test_each_object_has_the_name_of_its_class(names: tuple[str, ...]) -> None:
    assert names_of(LABELS, names) == ["c", "a"]
    assert names_of(LABELS[:0], names) == []


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (("a", "b"), "a tuple of 2, but an object has label 2"),
        (Categories((Category(1, "a"),)), "Categories"),
        ({"a": 0}, "dict"),
    ],
)
def test_what_names_not_every_class_is_told(names: tuple[str, ...], given: str) -> None:
    with pytest.raises(DataError, match=rf"predictor\.categories\.names, got {given}$"):
        names_of(LABELS, names)
