"""Annotations of videos in the official format and in CocoVID form."""

import json
import re
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
    return read_videos(path, names).videos


def refused(folder: Path, content: dict[str, Any]) -> tuple[str, list[tuple[str, Any]]]:
    """What a strict reading says, and the kinds and ids of all that is left out otherwise."""
    path = folder / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as error:
        read_videos(path, strict=True)
    rejects = read_videos(path).rejects
    return str(error.value), [(reject.kind, reject.id) for reject in rejects]


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


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(official(POLYGON, None), id="official"),
        # Two annotations of one object, and one of another.
        pytest.param(
            coco_vid(
                {"image_id": 10, "instance_id": 1},
                {"image_id": 11, "instance_id": 1},
                {"image_id": 10, "instance_id": 2, "category_id": 2},
            ),
            id="CocoVID",
        ),
    ],
)
def test_objects_of_other_classes_are_counted(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    assert read_videos(path, ["dog"]).other_classes == {"cat": 1}
    assert read_videos(path).other_classes == {}


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
        ("annotation", {"video_id": 8}, r"annotation 3: video_id is 8, which the file lacks"),
        ("annotation", {"category_id": 4}, r"annotation 3: category_id is 4, which"),
        ("annotation", {"segmentations": [POLYGON]}, r"3: segmentations is a list of 1, but .* 2"),
        ("annotation", {"areas": [4, None, None]}, r"annotation 3: areas is a list of 3, but .* 2"),
        ("annotation", {"areas": [-4, None]}, r"annotation 3: area in frame 0 is -4, expected"),
        ("annotation", {"bboxes": [None]}, r"annotation 3: bboxes is a list of 1, but .* 2 frames"),
        ("annotation", {"segmentations": None}, r"annotation 3: segmentations is missing"),
        ("annotation", {"segmentations": [None, {"size": [6, 4], "counts": [24]}]}, r"3: frame 1:"),
        (
            "annotation",
            {"segmentations": [[[1, 1]], None]},
            r"annotation 3: frame 0: expected poly",
        ),
        ("annotation", {"segmentations": [EMPTY, None]}, r"annotation 3: its masks have no pixel"),
        ("annotation", {"iscrowd": "no"}, r"annotation 3: iscrowd is 'no', expected 0 or 1"),
        ("annotation", {"id": "3"}, r"annotation '3': id of entry 0 of the list is '3', expected"),
        ("video", {"file_names": []}, r"video 9: file_names is \[\], expected a list"),
        ("video", {"file_names": ["v/0.jpg", "/1.jpg"]}, r"video 9: file name is '/1.jpg', expec"),
        ("video", {"height": None}, r"video 9: height is missing"),
        ("video", {"width": 2**30}, r"video 9: size is 1073741824 x 4, expected at most"),
    ],
)
def test_what_does_not_fit_the_official_format_is_named(
    tmp_path: Path, kind: str, fields: dict[str, Any], message: str
) -> None:
    content = official(POLYGON, None)
    content[f"{kind}s"][0] |= fields
    said, rejects = refused(tmp_path, content)
    assert re.search(rf"a\.json: .*{message}", said)
    # What is said of a video that is left out is left out, too.
    left_out = {"annotation": [("annotation", fields.get("id", 3))]}
    assert rejects == left_out.get(kind, [("video", 9), ("annotation", 3)])


def test_an_object_that_is_seen_in_no_frame_is_kept(tmp_path: Path) -> None:
    (video,) = read(tmp_path, official(None, None))
    assert video.objects[0].masks == (None, None)


def test_of_two_annotations_of_one_id_the_first_stays(tmp_path: Path) -> None:
    content = official(POLYGON)
    content["annotations"].append(content["annotations"][0] | {"category_id": 2})
    said, rejects = refused(tmp_path, content)
    assert said.endswith("a.json: annotation 3: its id is that of an earlier one")
    assert rejects == [("annotation", 3)]
    assert [thing.label for thing in read(tmp_path, content)[0].objects] == [1]


def test_ids_of_objects_are_unique_in_their_video(tmp_path: Path) -> None:
    content = official(POLYGON)
    content["videos"].append(content["videos"][0] | {"id": 10})
    content["annotations"].append(content["annotations"][0] | {"video_id": 10})
    assert [[thing.id for thing in video.objects] for video in read(tmp_path, content)] == [[3]] * 2


@pytest.mark.parametrize(
    ("seen", "message", "rejects"),
    [
        ([{"image_id": 10}], r"annotation 0: instance_id is missing", [0]),
        ([{"image_id": 13, "instance_id": 1}], r"annotation 0: image_id is 13, which", [0]),
        (
            [{"image_id": 10, "instance_id": 1}] * 2,
            r"annotation 1: instance 1 has an earlier annotation in image 10",
            [1],
        ),
        (
            [{"image_id": 10 + i, "instance_id": 1, "category_id": 5 - 3 * i} for i in (0, 1)],
            r"annotation 1: category_id is 2, but 5 before for instance 1",
            [1],
        ),
        (
            [{"image_id": 10, "instance_id": 1, "segmentation": EMPTY}],
            r"annotation 0: its mask has no pixel",
            [0],
        ),
    ],
    ids=["no instance", "unknown image", "twice", "two categories", "no pixel"],
)
def test_what_does_not_fit_coco_vid_is_named(
    tmp_path: Path, seen: list[dict[str, Any]], message: str, rejects: list[int]
) -> None:
    said, found = refused(tmp_path, coco_vid(*seen))
    assert re.search(message, said)
    assert found == [("annotation", number) for number in rejects]


def test_images_of_a_video_must_exist_and_have_one_size(tmp_path: Path) -> None:
    content = coco_vid({"image_id": 10, "instance_id": 1})
    content["images"][0]["width"] = 7
    said, rejects = refused(tmp_path, content)
    assert "video 9: has 2 images of 2 sizes" in said
    assert rejects == [("video", 9), ("annotation", 0)]
    assert read(tmp_path, content) == ()
    said, rejects = refused(tmp_path, coco_vid(frames=0))
    assert "video 9: has 0 images of 0 sizes" in said
    said, rejects = refused(tmp_path, coco_vid(frames=1) | {"videos": []})
    assert "image 10: video_id is 9, which" in said
    assert rejects == [("image", 10)]


def test_a_real_file_in_coco_vid_form_is_read(shared_data: Path) -> None:
    known = read_videos(shared_data / "data" / "ytvis_sample" / "ann.json", strict=True)
    (video,) = known.videos
    (thing,) = video.objects
    assert known.categories.names == ("sedan",)
    assert video.file_names == ("0043f083b5/00000.jpg",)
    assert rle.to_box(thing.masks[0]) == [1174, 335, 104, 79]  # the box that the file states
