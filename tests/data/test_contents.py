"""What sets hold, as training opens them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from make_shapes import make_shapes

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.contents import Box, Contents, NamedSet, read_contents
from qivis.data.vis_categories import YOUTUBE_VIS_2021
from tests.faulty_sets import annotation, make_faulty_sets, picture, write_coco
from tests.streets import STREETS, make_streets

TRAIN = SourceConfig("train2017", "annotations/instances_train2017.json")
STREET = SourceConfig("leftImg8bit/train", "gtFine/train", kind="cityscapes")
VIDEOS = SourceConfig("train/JPEGImages", "train/instances.json", kind="videos")


def read(root: Path, source: SourceConfig, config: DataConfig | None = None) -> Contents:
    return read_contents(NamedSet("mine", False, source), config or DataConfig(), root)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faulty")
    make_faulty_sets(root)
    return root


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    make_shapes(root)
    return root / "ytvis"


def test_pictures_have_what_the_annotations_say(faulty: Path) -> None:
    contents = read(faulty, TRAIN)
    assert [(p.name, p.path.name, p.num_objects) for p in contents.pictures][:3] == [
        ("image 1", "one.png", 3),
        ("image 2", "two.png", 1),
        ("image 3", "missing.png", 1),
    ]
    assert contents.pictures[6].size == (20, 30)
    assert contents.boxes[:2] == [Box(0, 0, 100), Box(0, 1, 1600)]
    counts = (contents.videos, contents.annotations, contents.crowds, contents.slivers)
    assert counts == (0, 8, 1, 1)
    assert [reject.id for reject in contents.rejects] == [19]


def test_classes_that_are_not_asked_for_are_counted(faulty: Path) -> None:
    contents = read(faulty, TRAIN, DataConfig(class_names=("animal",)))
    assert contents.class_names == ("animal",)
    assert (contents.annotations, contents.other_classes) == (7, {"cup": 1})
    assert {box.label for box in contents.boxes} == {0}


def test_faults_do_not_stop_even_a_strict_config(faulty: Path) -> None:
    assert len(read(faulty, TRAIN, DataConfig(strict=True)).rejects) == 1


def test_coco_pictures_have_the_classes_of_the_videos_that_they_are_mixed_with(
    tmp_path: Path,
) -> None:
    annotations = [annotation(1, 1, 6, [0, 0, 9, 9]), annotation(2, 1, 9, [0, 0, 5, 5])]
    write_coco(tmp_path / "a.json", [picture(1, "a.png")], annotations)
    contents = read(tmp_path, SourceConfig(".", "a.json", coco_classes="youtube_vis_2021"))
    # Category 6 (a train in COCO) is unknown there, 9 is COCO's boat and the fourth class.
    assert contents.class_names == YOUTUBE_VIS_2021.names
    assert contents.boxes == [Box(0, YOUTUBE_VIS_2021.names.index("boat"), 25)]
    assert (contents.annotations, contents.other_classes) == (1, {"dog": 1})


def by_frame(root: Path) -> Mapping[tuple[int, int], int]:
    """How many objects the file has in each frame, by video id."""
    content = json.loads((root / VIDEOS.annotations).read_text())
    lengths = {video["id"]: len(video["file_names"]) for video in content["videos"]}
    return {
        (video, t): sum(
            bool(a["segmentations"][t]) and not a["iscrowd"]
            for a in content["annotations"]
            if a["video_id"] == video
        )
        for video, length in lengths.items()
        for t in range(length)
    }


def test_frames_of_videos_are_pictures_of_one_scene(videos: Path) -> None:
    contents = read(videos, VIDEOS)
    expected = by_frame(videos)
    assert [picture.num_objects for picture in contents.pictures] == list(expected.values())
    assert [picture.name for picture in contents.pictures] == [
        f"video {video}, frame {t}" for video, t in expected
    ]
    assert [picture.scene for picture in contents.pictures] == [0] * 8 + [1] * 8
    assert (contents.videos, len(contents.boxes)) == (2, sum(expected.values()))


def test_boxes_are_those_of_the_samples(videos: Path) -> None:
    contents = read(videos, VIDEOS)
    for index in (0, 5, 12):
        targets = contents.sample(index).targets
        boxes = [box for box in contents.boxes if box.picture == index]
        assert targets.labels.tolist() == [box.label for box in boxes]
        areas = torch.tensor([box.area for box in boxes])
        assert torch.equal(targets.masks.sum(dim=(1, 2)), areas.long())


def test_classes_of_videos_that_are_not_asked_for_are_counted(videos: Path) -> None:
    everything, some = (
        read(videos, VIDEOS),
        read(videos, VIDEOS, DataConfig(class_names=("round",))),
    )
    assert some.annotations + sum(some.other_classes.values()) == everything.annotations
    assert set(some.other_classes) <= {"square", "triangle"}
    assert sum(some.other_classes.values()) > 0


def test_cityscapes_is_counted_by_the_values_of_its_annotations(tmp_path: Path) -> None:
    contents = read(make_streets(tmp_path, "train"), STREET)
    assert [picture.name for picture in contents.pictures] == [f"image {name}" for name in STREETS]
    assert [picture.num_objects for picture in contents.pictures] == [3, 3, 0]
    # A person of 30 x 10 pixels, two cars of 20 x 40 and 12 x 15.
    assert contents.boxes[:3] == [Box(0, 0, 300), Box(0, 2, 800), Box(0, 2, 180)]
    assert (contents.annotations, contents.crowds, contents.rejects) == (8, 2, ())
    assert len(contents.sample(1).targets) == 3


def test_classes_of_cityscapes_that_are_not_asked_for_are_counted(tmp_path: Path) -> None:
    root = make_streets(tmp_path, "train")
    contents = read(root, STREET, DataConfig(class_names=("car",)))
    assert contents.other_classes == {"person": 1, "rider": 1, "bicycle": 1}
    assert (contents.annotations, contents.crowds) == (4, 1)
    assert [box.label for box in contents.boxes] == [0, 0, 0]
