"""The moving shapes: official layouts, every kind of annotation, the same for the same seed."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from make_shapes import Shape, make_shapes
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

RED_CIRCLE = 1


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        make_shapes(tmp_path / name, seed, num_images=4, num_videos=1, length=3)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.j*")]
    same = [
        (tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files
    ]
    other = [
        (tmp_path / "one" / f).read_bytes() == (tmp_path / "other" / f).read_bytes() for f in files
    ]
    assert len(files) == 4 + 4 + 2 + 3 + 3 + 2
    assert all(same)
    assert not any(other)


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_every_kind_of_coco_annotation_occurs(shapes: Path, split: str) -> None:
    content = read(shapes / "annotations" / f"instances_{split}.json")
    kinds = set()
    for annotation in content["annotations"]:
        mask = annotation["segmentation"]
        kind = len(mask) if isinstance(mask, list) else type(mask["counts"])
        kinds.add((kind, annotation["iscrowd"]))
    assert kinds == {(1, 0), (2, 0), (list, 0), (str, 0), (list, 1)}
    with_objects = {annotation["image_id"] for annotation in content["annotations"]}
    assert {image["id"] for image in content["images"]} - with_objects == {3, 7}


def test_pycocotools_finds_the_annotated_areas_and_boxes(shapes: Path) -> None:
    coco = COCO(shapes / "annotations" / "instances_train2017.json")
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation)
        rows, columns = np.nonzero(mask)
        x, y, width, height = annotation["bbox"]
        # pycocotools rasterises polygons a little differently from the pixel-centre rule.
        assert int(mask.sum()) == pytest.approx(annotation["area"], rel=0.15)
        assert [columns.min(), rows.min()] == pytest.approx([x, y], abs=1)
        assert [columns.max() + 1, rows.max() + 1] == pytest.approx([x + width, y + height], abs=1)


def test_the_annotated_pixels_have_the_colour_of_their_class(shapes: Path) -> None:
    coco = COCO(shapes / "annotations" / "instances_train2017.json")
    circles = coco.loadAnns(coco.getAnnIds(catIds=[RED_CIRCLE]))
    assert circles
    for annotation in circles:
        name = coco.loadImgs(annotation["image_id"])[0]["file_name"]
        picture = np.asarray(Image.open(shapes / "train2017" / name)).astype(float)
        red, green, _ = picture[coco.annToMask(annotation) == 1].mean(axis=0)
        assert red > green + 80


def test_a_square_covers_the_pixels_whose_centres_it_contains() -> None:
    side = 4 * np.sqrt(2)  # corners at (2, 2) ... (6, 6)
    square = Shape(category_id=3, center=(4, 4), radius=side / 2, angle=np.pi / 4)
    expected = np.zeros((8, 10), dtype=bool)
    expected[2:6, 2:6] = True
    assert np.array_equal(square.bitmap((8, 10)), expected)


def test_videos_are_annotated_frame_by_frame(shapes: Path) -> None:
    content = read(shapes / "ytvis" / "train" / "instances.json")
    videos = {video["id"]: video for video in content["videos"]}
    assert len(content["annotations"]) == 3 * len(videos) == 6
    for track in content["annotations"]:
        video = videos[track["video_id"]]
        for mask, box, area in zip(
            track["segmentations"], track["bboxes"], track["areas"], strict=True
        ):
            assert (mask is None) == (box is None) == (area is None)
            if mask is not None:
                rle = coco_mask.frPyObjects(mask, *mask["size"])
                assert coco_mask.area(rle) == area
                assert coco_mask.toBbox(rle).tolist() == box
        assert len(track["segmentations"]) == video["length"] == len(video["file_names"])


def test_objects_hide_one_another_and_come_in_late(shapes: Path) -> None:
    tracks = read(shapes / "ytvis" / "valid" / "instances.json")["annotations"]
    assert tracks[2]["areas"][0] is None
    assert all(tracks[2]["areas"][4:])
    assert min(tracks[0]["areas"]) < max(tracks[0]["areas"])
    for frame in range(8):
        masks = [track["segmentations"][frame] for track in tracks[:3]]
        rles = [coco_mask.frPyObjects(mask, 64, 96) for mask in masks if mask]
        assert coco_mask.area(coco_mask.merge(rles)) == sum(coco_mask.area(rle) for rle in rles)


def test_the_clip_shows_the_first_valid_video(shapes: Path) -> None:
    with av.open(str(shapes / "clip.mp4")) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.average_rate) == ("h264", 10)
    assert len(frames) == 8
    for index, frame in enumerate(frames):
        path = shapes / "ytvis" / "valid" / "JPEGImages" / "video1" / f"{index:05d}.jpg"
        picture = np.asarray(Image.open(path)).astype(float)
        assert np.abs(frame - picture).mean() < 12
