"""Annotations of videos in the official format and in CocoVID form."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from qivis.data.video_annotations import AnnotatedVideo, read_videos
from qivis.errors import DataError
from qivis.ops import rle

SIZE = (4, 6)
POLYGON = [[1, 1, 3, 1, 3, 3, 1, 3]]
NUMBERS = {"size": [4, 6], "counts": [5, 2, 2, 2, 13]}  # down the columns, zeros first
SQUARE = torch.zeros(4, 6, dtype=torch.bool)
SQUARE[1:3, 1:3] = True
STRING = rle.encode(SQUARE[None])[0]
EMPTY = {"size": [4, 6], "counts": [24]}
CATEGORIES = [{"id": 2, "name": "dog"}, {"id": 5, "name": "cat"}]


def official(*masks: Any, **fields: Any) -> dict[str, Any]:
    names = [f"v/{index}.jpg" for index in range(len(masks))]
    video = {"id": 9, "height": 4, "width": 6, "file_names": names, "length": len(masks)}
    annotation = {"id": 3, "video_id": 9, "category_id": 5, "segmentations": list(masks)}
    return {
        "videos": [video],
        "categories": CATEGORIES,
        "annotations": [annotation | {"iscrowd": 0} | fields],
    }


def coco_vid(*seen: dict[str, Any], frames: int = 2) -> dict[str, Any]:
    """Images 10, 11 ... listed backwards; annotations 0, 1 ... of the given fields."""
    images = [
        {"id": 10 + i, "video_id": 9, "frame_id": i, "file_name": f"v/{i}.jpg"}
        | {"height": 4, "width": 6}
        for i in reversed(range(frames))
    ]
    base = {"video_id": 9, "category_id": 5, "segmentation": POLYGON}
    annotations = [{"id": i} | base | fields for i, fields in enumerate(seen)]
    return {
        "videos": [{"id": 9, "name": "v"}],
        "categories": CATEGORIES,
        "images": images,
        "annotations": annotations,
    }


def read(folder: Path, content: dict[str, Any], *names: str) -> tuple[AnnotatedVideo, ...]:
    path = folder / "a.json"
    path.write_text(json.dumps(content))
    return read_videos(path, names)[1]


def mask_of(value: Any) -> torch.Tensor:
    return rle.decode([value], SIZE)[0]


@pytest.mark.parametrize("form", [POLYGON, NUMBERS, STRING], ids=["polygon", "numbers", "string"])
def test_every_form_of_mask_is_read(tmp_path: Path, form: Any) -> None:
    (video,) = read(tmp_path, official(None, form, EMPTY, []))
    (thing,) = video.objects
    assert (video.id, video.size) == (9, SIZE)
    assert video.file_names == ("v/0.jpg", "v/1.jpg", "v/2.jpg", "v/3.jpg")
    assert (thing.id, thing.label, thing.is_crowd) == (3, 1, False)
    assert thing.masks[0] is None
    assert torch.equal(mask_of(thing.masks[1]), SQUARE)
    assert thing.masks[2:] == (None, None)  # a mask without pixels or polygons is none
    assert thing.areas == (None, 4, None, None)


def test_areas_are_those_that_the_file_states(tmp_path: Path) -> None:
    (video,) = read(tmp_path, official(None, POLYGON, areas=[None, 5]))
    assert video.objects[0].areas == (None, 5)


def test_crowds_are_marked(tmp_path: Path) -> None:
    (video,) = read(tmp_path, official(POLYGON, iscrowd=1))
    assert video.objects[0].is_crowd


@pytest.mark.parametrize("nothing", [{}, {"annotations": None}, {"annotations": []}])
def test_a_set_without_annotations_has_videos_without_objects(
    tmp_path: Path, nothing: dict[str, Any]
) -> None:
    content = official(POLYGON)
    del content["annotations"]
    (video,) = read(tmp_path, content | nothing)
    assert video.objects == ()


def test_objects_of_other_classes_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, official(POLYGON), "dog")[0].objects == ()
    assert read(tmp_path, official(POLYGON), "cat")[0].objects[0].label == 0


def test_videos_come_by_rising_id(tmp_path: Path) -> None:
    content = official(POLYGON)
    content["videos"].append(content["videos"][0] | {"id": 4})
    videos = read(tmp_path, content)
    assert [(video.id, len(video.objects)) for video in videos] == [(4, 0), (9, 1)]


def test_annotations_of_one_instance_become_one_object(tmp_path: Path) -> None:
    content = coco_vid(
        {"image_id": 12, "instance_id": 7},
        {"image_id": 10, "instance_id": 7, "segmentation": NUMBERS},
        {"image_id": 11, "instance_id": 8, "category_id": 2, "iscrowd": 1},
        frames=3,
    )
    (video,) = read(tmp_path, content)
    assert video.file_names == ("v/0.jpg", "v/1.jpg", "v/2.jpg")
    seen = {thing.id: [mask is not None for mask in thing.masks] for thing in video.objects}
    assert seen == {7: [True, False, True], 8: [False, True, False]}
    assert {thing.id: (thing.label, thing.is_crowd) for thing in video.objects} == {
        7: (1, False),
        8: (0, True),
    }
    assert {thing.id: thing.areas for thing in video.objects}[7] == (4, None, 4)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("annotation", {"video_id": 8}, r"annotation 3 has video_id 8, which the file does not"),
        ("annotation", {"category_id": 4}, r"annotation 3 has category_id 4, which"),
        ("annotation", {"segmentations": [POLYGON]}, r"3 has 1 segmentations, but its video 9 has"),
        (
            "annotation",
            {"areas": [4, None, None]},
            r"annotation 3 has 3 areas, but its video 9 has",
        ),
        ("annotation", {"segmentations": None}, r"annotation 3 has no 'segmentations'"),
        ("annotation", {"segmentations": [None, {"size": [6, 4], "counts": [24]}]}, r"3, frame 1:"),
        ("annotation", {"segmentations": [[[1, 1]], None]}, r"annotation 3, frame 0: segmentation"),
        ("video", {"file_names": []}, r"video 9 has no 'file_names'"),
        ("video", {"height": None}, r"video 9 has no 'height'"),
    ],
)
def test_what_does_not_fit_the_official_format_is_named(
    tmp_path: Path, kind: str, fields: dict[str, Any], message: str
) -> None:
    content = official(POLYGON, None)
    content[f"{kind}s"][0] |= fields
    with pytest.raises(DataError, match=rf"a\.json: .*{message}"):
        read(tmp_path, content)


def test_two_annotations_of_one_id_are_refused(tmp_path: Path) -> None:
    content = official(POLYGON)
    content["annotations"] *= 2
    with pytest.raises(DataError, match=r"a\.json: two annotations have the id 3"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ([{"image_id": 10}], r"annotation 0 has no 'instance_id'"),
        ([{"image_id": 13, "instance_id": 1}], r"annotation 0 has image_id 13, which"),
        ([{"image_id": 10, "instance_id": 1}] * 2, r"0 and 1 are of the same instance in the same"),
        (
            [{"image_id": 10 + i, "instance_id": 1, "category_id": 5 - 3 * i} for i in (0, 1)],
            r"instance 1 has several categories",
        ),
    ],
    ids=["no instance", "unknown image", "twice", "two categories"],
)
def test_what_does_not_fit_coco_vid_is_named(
    tmp_path: Path, seen: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, coco_vid(*seen))


def test_images_of_a_video_must_exist_and_have_one_size(tmp_path: Path) -> None:
    content = coco_vid()
    content["images"][0]["width"] = 7
    with pytest.raises(DataError, match=r"video 9 has 2 images of 2 sizes"):
        read(tmp_path, content)
    with pytest.raises(DataError, match=r"video 9 has 0 images of 0 sizes"):
        read(tmp_path, coco_vid(frames=0))
    with pytest.raises(DataError, match=r"image 10 has video_id 9, which"):
        read(tmp_path, coco_vid(frames=1) | {"videos": []})


def test_a_real_file_in_coco_vid_form_is_read(shared_data: Path) -> None:
    categories, (video,) = read_videos(shared_data / "data" / "ytvis_sample" / "ann.json")
    (thing,) = video.objects
    assert categories.names == ("sedan",)
    assert video.file_names == ("0043f083b5/00000.jpg",)
    assert rle.to_box(thing.masks[0]) == [1174, 335, 104, 79]  # the box that the file states
