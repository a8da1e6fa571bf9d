"""The sets that a config names are opened below the data root."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qivis.config.schema import ClipConfig, DataConfig, SourceConfig
from qivis.data.sources import (
    training_sources,
    validation_cityscapes,
    validation_images,
    validation_videos,
)
from qivis.data.vis_categories import YOUTUBE_VIS_2021
from qivis.errors import DataError
from tests.streets import make_streets

TRAIN = SourceConfig("train2017", "annotations/instances_train2017.json")
VAL = SourceConfig("val2017", "annotations/instances_val2017.json")
CONFIG = DataConfig(train=(TRAIN,), val=VAL)
VIDEOS = SourceConfig("ytvis/train/JPEGImages", "ytvis/train/instances.json", kind="videos")
RNG = np.random.default_rng(0)


def count(config: DataConfig, root: Path, clip: ClipConfig | None = None) -> int:
    return sum(len(clips) for clips, _ in training_sources(config, clip, root)[1])


def test_settings_reach_the_sets(shapes: Path) -> None:
    config = replace(CONFIG, class_names=("angular",), ignore_regions=True)
    categories, [(clips, repeat)] = training_sources(config, None, shapes)
    assert categories.names == ("angular",)
    assert repeat == 1.0
    assert sum(len(clips.clip(i, RNG)[0].ignored) for i in range(len(clips))) > 0
    assert validation_images(config, shapes).folder == shapes / "val2017"


@pytest.mark.parametrize(
    ("config", "expected"),
    [(CONFIG, 6), (replace(CONFIG, keep_empty=True), 8), (replace(CONFIG, train=(TRAIN, VAL)), 12)],
    ids=["with objects", "all", "two sets"],
)
def test_every_suitable_image_of_every_set_is_trained_on(
    shapes: Path, config: DataConfig, expected: int
) -> None:
    assert count(config, shapes) == expected


def test_videos_and_pictures_make_clips_of_one_length(shapes: Path) -> None:
    config = replace(CONFIG, train=(VIDEOS, replace(TRAIN, repeat=0.5)), val=VIDEOS)
    categories, sources = training_sources(config, ClipConfig(length=3), shapes)
    assert categories.names == ("circle", "square", "triangle")
    assert [repeat for _, repeat in sources] == [1.0, 0.5]
    assert [len(clips.clip(0, RNG)) for clips, _ in sources] == [3, 3]
    assert len(validation_videos(config, shapes)) == 2


def coco_like(folder: Path, shapes: Path) -> SourceConfig:
    """The shapes under COCO's names: circles are persons (1), triangles are bears (23)."""
    content = json.loads((shapes / TRAIN.annotations).read_text())
    ids = {c["id"]: new for c, new in zip(content["categories"], (1, 10, 23), strict=True)}
    for annotation in content["annotations"]:
        annotation["category_id"] = ids[annotation["category_id"]]
    content["categories"] = [{"id": i, "name": f"coco {i}"} for i in (1, 10, 23)]
    (folder / "coco.json").write_text(json.dumps(content))
    return SourceConfig("train2017", str(folder / "coco.json"), coco_classes="youtube_vis_2021")


def test_coco_pictures_take_the_classes_of_the_videos(shapes: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, train=(coco_like(tmp_path, shapes),))
    categories, [(clips, _)] = training_sources(config, ClipConfig(), shapes)
    assert categories == YOUTUBE_VIS_2021
    samples = [s for i in range(len(clips)) for s in clips.clip(i, RNG)]
    found = {categories.names[label] for s in samples for label in s.targets.labels.tolist()}
    assert found == {"person", "bear"}


def test_strictness_reaches_every_set(shapes: Path, tmp_path: Path) -> None:
    sources = []
    for source in (TRAIN, VIDEOS):
        content = json.loads((shapes / source.annotations).read_text())
        content["annotations"][0]["category_id"] = 99
        path = tmp_path / f"{source.kind}.json"
        path.write_text(json.dumps(content))
        sources.append(replace(source, annotations=str(path)))
    images, videos = sources
    config = replace(CONFIG, train=(images, videos), val=images)
    count(config, shapes, ClipConfig())
    message = r"\.json: annotation 1: category_id is 99, which the file lacks"
    with pytest.raises(DataError, match=r"images" + message):
        count(replace(config, strict=True), shapes, ClipConfig())
    with pytest.raises(DataError, match=r"images" + message):
        validation_images(replace(config, strict=True), shapes)
    with pytest.raises(DataError, match=r"videos" + message):
        validation_videos(replace(config, val=videos, strict=True), shapes)


STREETS = SourceConfig("leftImg8bit/train", "gtFine/train", kind="cityscapes")


def test_cityscapes_is_trained_and_measured_on_as_the_settings_say(tmp_path: Path) -> None:
    make_streets(tmp_path, "train")
    config = DataConfig(train=(STREETS,), val=STREETS, class_names=("car",), ignore_regions=True)
    categories, [(clips, _)] = training_sources(config, None, tmp_path)
    assert categories.names == ("car",)
    assert len(clips) == 2  # the third picture shows a group alone
    images = validation_cityscapes(config, tmp_path)
    assert (len(images), len(images[2][0].ignored)) == (3, 1)
    moved = training_sources(config, ClipConfig(length=3), tmp_path)[1][0][0]
    assert len(moved.clip(0, RNG)) == 3


def test_cityscapes_has_no_coco_classes(tmp_path: Path) -> None:
    make_streets(tmp_path, "train")
    config = replace(CONFIG, train=(replace(STREETS, coco_classes="ovis"),))
    with pytest.raises(DataError, match=r"gtFine/train: coco_classes is of COCO pictures"):
        count(config, tmp_path, ClipConfig())


def test_sets_with_other_classes_are_refused(shapes: Path, tmp_path: Path) -> None:
    content = json.loads((shapes / VAL.annotations).read_text())
    content["categories"][0]["name"] = "disc"
    (tmp_path / "other.json").write_text(json.dumps(content))
    other = SourceConfig("val2017", str(tmp_path / "other.json"))
    with pytest.raises(DataError, match=r"other\.json: its categories differ .*data\.class_names"):
        count(replace(CONFIG, train=(TRAIN, other)), shapes)


@pytest.mark.parametrize(
    "config",
    [replace(CONFIG, min_side=1000), replace(CONFIG, train=(replace(TRAIN, repeat=0.0),))],
    ids=["all images are too small", "no clip of any set"],
)
def test_nothing_to_train_on_is_refused(shapes: Path, config: DataConfig) -> None:
    with pytest.raises(DataError, match=r"nothing to train on.*min_side"):
        count(config, shapes)


def test_a_negative_repeat_is_refused(shapes: Path) -> None:
    with pytest.raises(DataError, match=r"instances_train2017\.json: repeat is -1"):
        count(replace(CONFIG, train=(replace(TRAIN, repeat=-1.0),)), shapes)


def test_videos_are_no_images_and_images_no_videos(shapes: Path) -> None:
    with pytest.raises(DataError, match=r"train_vis\.py"):
        count(replace(CONFIG, train=(VIDEOS,)), shapes)
    with pytest.raises(DataError, match=r"holds videos, not images"):
        validation_images(replace(CONFIG, val=VIDEOS), shapes)
    with pytest.raises(DataError, match=r"holds images, not videos"):
        validation_videos(CONFIG, shapes)
    with pytest.raises(DataError, match=r"holds images, not cityscapes"):
        validation_cityscapes(CONFIG, shapes)


def test_a_missing_root_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path}/annotations/.*json: .*--data-root"):
        count(CONFIG, tmp_path)
