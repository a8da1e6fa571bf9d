"""Which sets a folder, a file or a config names."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.layouts import set_of_file, sets_in, sets_of_config
from qivis.errors import DataError
from tests.streets import make_streets


def parts(root: Path) -> list[tuple[str, bool, str, str, str]]:
    return [
        (s.name, s.is_measured_on, s.source.kind, s.source.images, s.source.annotations)
        for s in sets_in(root)
    ]


@pytest.mark.parametrize(
    ("kind", "annotations", "images"),
    [
        pytest.param("images", "annotations/instances_{}.json", "{}", id="COCO"),
        pytest.param("videos", "{}/instances.json", "{}/JPEGImages", id="YouTube-VIS 2021"),
        pytest.param("videos", "annotations_{}.json", "{}", id="OVIS"),
        pytest.param("videos", "{}.json", "{}/JPEGImages", id="YouTube-VIS 2019"),
    ],
)
def test_published_layouts_are_known(
    tmp_path: Path, kind: str, annotations: str, images: str
) -> None:
    for part in ("train", "valid"):
        (tmp_path / images.format(part)).mkdir(parents=True)
        path = tmp_path / annotations.format(part)
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert parts(tmp_path) == [
        (part, part == "valid", kind, images.format(part), annotations.format(part))
        for part in ("train", "valid")
    ]


def test_cityscapes_has_folders_of_annotations(tmp_path: Path) -> None:
    assert parts(make_streets(tmp_path, "train", "val")) == [
        ("train", False, "cityscapes", "leftImg8bit/train", "gtFine/train"),
        ("val", True, "cityscapes", "leftImg8bit/val", "gtFine/val"),
    ]


def test_annotations_without_pictures_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val2017").mkdir()
    for part in ("val2017", "train2017"):
        (tmp_path / f"annotations/instances_{part}.json").write_text("{}")
    assert [part[0] for part in parts(tmp_path)] == ["val2017"]


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set of a known layout.*--images"):
        sets_in(tmp_path / "nowhere")


def test_a_config_names_its_train_sets_and_its_val_set() -> None:
    more = SourceConfig("more", "more.json")
    config = replace(DataConfig(), train=(*DataConfig().train, more))
    assert [(s.name, s.is_measured_on) for s in sets_of_config(config)] == [
        ("annotations/instances_train2017.json (train)", False),
        ("more.json (train)", False),
        ("annotations/instances_val2017.json (val)", True),
    ]


@pytest.mark.parametrize(("key", "kind"), [("images", "images"), ("videos", "videos")])
def test_a_file_says_whether_it_is_of_videos(tmp_path: Path, key: str, kind: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({key: [], "categories": []}))
    (named,) = set_of_file(path, tmp_path / "photos")
    assert (named.name, named.source.kind) == ("mine.json", kind)
    assert named.source.images == str(tmp_path / "photos")
