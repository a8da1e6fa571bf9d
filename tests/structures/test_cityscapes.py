"""The classes are those that the benchmark evaluates."""

import pytest

from qivis.structures.cityscapes import CITYSCAPES


def test_classes_and_ids_are_those_of_the_official_table() -> None:
    labels = pytest.importorskip(
        "cityscapesscripts.helpers.labels",
        reason="cityscapesscripts is not installed (pip install 'qivis[cityscapes]')",
    ).labels
    official = [(x.id, x.name) for x in labels if x.hasInstances and not x.ignoreInEval]
    assert [(category.id, category.name) for category in CITYSCAPES] == official
