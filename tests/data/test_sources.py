"""The sets that a config names are opened below the data root."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.sources import training_entries, training_sets, validation_set
from qivis.errors import DataError

TRAIN = SourceConfig("train2017", "annotations/instances_train2017.json")
VAL = SourceConfig("val2017", "annotations/instances_val2017.json")
CONFIG = DataConfig(train=(TRAIN,), val=VAL)


def test_sets_are_opened_below_the_root(shapes: Path) -> None:
    (images,) = training_sets(CONFIG, shapes)
    assert images.folder == shapes / "train2017"
    assert validation_set(CONFIG, shapes).folder == shapes / "val2017"


def test_settings_reach_the_sets(shapes: Path) -> None:
    config = replace(CONFIG, class_names=("angular",), ignore_regions=True)
    (images,) = training_sets(config, shapes)
    assert images.categories.names == ("angular",)
    with_crowd = training_sets(replace(CONFIG, ignore_regions=True), shapes)[0][1][0]
    assert len(with_crowd.ignored) == 1


@pytest.mark.parametrize(
    ("config", "count"),
    [(CONFIG, 6), (replace(CONFIG, keep_empty=True), 8), (replace(CONFIG, train=(TRAIN, VAL)), 12)],
    ids=["with objects", "all", "two sets"],
)
def test_every_suitable_image_of_every_set_is_trained_on(
    shapes: Path, config: DataConfig, count: int
) -> None:
    assert len(training_entries(config, training_sets(config, shapes))) == count


def test_sets_with_other_classes_are_refused(shapes: Path, tmp_path: Path) -> None:
    content = json.loads((shapes / VAL.annotations).read_text())
    content["categories"][0]["name"] = "disc"
    (tmp_path / "other.json").write_text(json.dumps(content))
    other = SourceConfig("val2017", str(tmp_path / "other.json"))
    with pytest.raises(DataError, match=r"other\.json: its categories differ .*data\.class_names"):
        training_sets(replace(CONFIG, train=(TRAIN, other)), shapes)


def test_sets_without_a_suitable_image_are_refused(shapes: Path) -> None:
    config = replace(CONFIG, min_side=1000)
    with pytest.raises(DataError, match=r"no image to train on.*min_side"):
        training_entries(config, training_sets(config, shapes))


def test_a_missing_root_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path}/annotations/.*json: .*--data-root"):
        training_sets(CONFIG, tmp_path)
