"""COCO-format sets: every form of annotation, and what is said of broken ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from qivis.data.coco import CocoImages
from qivis.errors import DataError

FOUR_OBJECTS, WITH_CROWD, EMPTY, TWO_OBJECTS = 0, 1, 2, 3  # positions in the moving shapes
LABEL_OF = {1: 0, 3: 1, 7: 2}  # circle, square, triangle


def annotations_of(shapes: Path) -> Path:
    return shapes / "annotations" / "instances_train2017.json"


def open_set(shapes: Path, **settings: Any) -> CocoImages:
    return CocoImages(shapes / "train2017", annotations_of(shapes), **settings)


def changed(
    shapes: Path, folder: Path, change: Callable[[dict[str, Any]], object], **settings: Any
) -> CocoImages:
    """The moving shapes with changed annotations."""
    content = json.loads(annotations_of(shapes).read_text())
    change(content)
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return CocoImages(shapes / "train2017", path, **settings)


def test_objects_are_those_that_pycocotools_finds(shapes: Path) -> None:
    images, coco = open_set(shapes), COCO(annotations_of(shapes))
    assert len(images) == 8
    for index in range(len(images)):
        (sample,) = images[index]
        expected = coco.loadAnns(coco.getAnnIds(images.image_id(index), iscrowd=False))
        targets = sample.targets
        assert targets.ids.tolist() == [a["id"] for a in expected]
        assert targets.labels.tolist() == [LABEL_OF[a["category_id"]] for a in expected]
        for mask, box, annotation in zip(targets.masks, targets.boxes, expected, strict=True):
            assert np.array_equal(mask.numpy(), coco.annToMask(annotation) == 1)
            x, y, width, height = annotation["bbox"]
            assert box.tolist() == [x, y, x + width, y + height]


def test_pictures_belong_to_their_objects(shapes: Path) -> None:
    (sample,) = open_set(shapes)[FOUR_OBJECTS]
    colors = torch.tensor([[200.0, 60, 50], [60, 180, 80], [70, 90, 210]])  # of make_shapes
    for mask, label in zip(sample.targets.masks, sample.targets.labels, strict=True):
        found = sample.image[:, mask].float().mean(dim=1)
        assert (found - colors[label]).abs().max() < 20


def test_sizes_are_those_of_the_pictures(shapes: Path) -> None:
    images = open_set(shapes)
    assert images.size(0) == tuple(images[0][0].image.shape[1:]) == (64, 96)


def test_an_image_without_objects_is_a_clip_like_any_other(shapes: Path) -> None:
    (sample,) = open_set(shapes)[EMPTY]
    assert len(sample.targets) == 0
    assert sample.targets.masks.shape == (0, 64, 96)


def test_crowds_are_left_out(shapes: Path) -> None:
    (sample,) = open_set(shapes)[WITH_CROWD]
    assert len(sample.targets) == 2
    assert len(sample.ignored) == 0


def test_crowds_become_ignored_regions_where_that_is_asked(shapes: Path) -> None:
    images, coco = open_set(shapes, ignore_regions=True), COCO(annotations_of(shapes))
    (sample,) = images[WITH_CROWD]
    (crowd,) = coco.loadAnns(coco.getAnnIds(images.image_id(WITH_CROWD), iscrowd=True))
    x, y, width, height = crowd["bbox"]
    assert sample.ignored.tolist() == [[x, y, x + width, y + height]]
    assert len(sample.targets) == 2


def test_unlabelled_boxes_become_ignored_regions(shapes: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["images"][EMPTY]["unlabelled"] = [[1, 0.5, 10.0, 20.0, 30.0, 5.0]]

    with_regions = changed(shapes, tmp_path, change, ignore_regions=True)
    assert with_regions[EMPTY][0].ignored.tolist() == [[10, 20, 40, 25]]
    assert len(changed(shapes, tmp_path, change)[EMPTY][0].ignored) == 0


def test_all_categories_keep_their_names_and_ids(shapes: Path) -> None:
    categories = open_set(shapes).categories
    assert [(c.id, c.name) for c in categories] == [(1, "circle"), (3, "square"), (7, "triangle")]


def test_supercategories_can_be_classes(shapes: Path) -> None:
    images = open_set(shapes, class_names=["angular", "round"])
    assert [(c.id, c.name) for c in images.categories] == [(1, "angular"), (2, "round")]
    plain = open_set(shapes)
    merged = {0: 1, 1: 0, 2: 0}
    for index in range(len(images)):
        labels = [merged[label] for label in plain[index][0].targets.labels.tolist()]
        assert images[index][0].targets.labels.tolist() == labels
    truth = images.ground_truth()
    assert truth["categories"] == [{"id": 1, "name": "angular"}, {"id": 2, "name": "round"}]
    assert {a["category_id"] for a in truth["annotations"]} == {1, 2}


def test_objects_of_other_classes_are_left_out(shapes: Path) -> None:
    images = open_set(shapes, class_names=["triangle"])
    labels = [images[index][0].targets.labels for index in range(len(images))]
    plain = [open_set(shapes)[index][0].targets.labels for index in range(len(images))]
    assert [len(found) for found in labels] == [int((found == 2).sum()) for found in plain]
    assert set(torch.cat(labels).tolist()) == {0}


def test_a_class_that_no_category_has_is_named(shapes: Path) -> None:
    with pytest.raises(DataError, match=r"called hexagon; there are circle, square, triangle"):
        open_set(shapes, class_names=["circle", "hexagon"])


def test_the_ground_truth_is_complete_with_crowds(shapes: Path) -> None:
    content = json.loads(annotations_of(shapes).read_text())
    truth = open_set(shapes).ground_truth()
    by_id = {annotation["id"]: annotation for annotation in truth["annotations"]}
    assert by_id == {annotation["id"]: annotation for annotation in content["annotations"]}
    assert truth["images"] == content["images"]


def test_what_is_below_one_pixel_is_measured_but_not_trained_on(
    shapes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["annotations"][0]["bbox"][2] = 0.5
        content["annotations"][1]["bbox"][:2] = [95.5, 3]

    images = changed(shapes, tmp_path, change)
    assert "2 objects below one pixel are not learned" in caplog.text
    assert images.rejects == ()
    assert images[FOUR_OBJECTS][0].targets.ids.tolist() == [3, 4]
    truth = images.ground_truth()["annotations"]
    assert [a["id"] for a in truth] == [
        a["id"] for a in open_set(shapes).ground_truth()["annotations"]
    ]


def test_boxes_end_at_the_borders_of_the_picture(shapes: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["annotations"][0]["bbox"] = [-5, -3, 200, 20]
        content["annotations"][1]["bbox"] = [97, 3, 10, 10]  # wholly outside

    images = changed(shapes, tmp_path, change)
    assert [str(reject) for reject in images.rejects] == [
        "annotation 2: bbox is [97, 3, 10, 10], outside the picture of 96 x 64"
    ]
    targets = images[FOUR_OBJECTS][0].targets
    assert targets.ids.tolist() == [1, 3, 4]
    assert targets.boxes[0].tolist() == [0, 0, 96, 17]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"min_side": 1, "keep_empty": True}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"min_side": 1, "keep_empty": False}, [0, 1, 3, 4, 5, 7]),
        ({"min_side": 65, "keep_empty": True}, []),
    ],
    ids=["all", "with objects", "large"],
)
def test_images_to_train_on_are_chosen(
    shapes: Path, settings: dict[str, Any], kept: list[int]
) -> None:
    assert open_set(shapes).trainable(**settings) == kept


def test_an_image_with_nothing_but_a_crowd_has_no_objects(shapes: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            annotation["iscrowd"] = int(annotation["image_id"] == 1 or annotation["iscrowd"])

    images = changed(shapes, tmp_path, change)
    assert 0 not in images.trainable(min_side=1, keep_empty=False)


def refused(
    shapes: Path, folder: Path, change: Callable[[dict[str, Any]], object]
) -> tuple[str, CocoImages]:
    """What a strict reading says of a change, and the set that is read otherwise."""
    with pytest.raises(DataError) as error:
        changed(shapes, folder, change, strict=True)
    images = changed(shapes, folder, change)
    assert f"instances.json: {images.rejects[0]}" in str(error.value)
    return str(error.value), images


@pytest.mark.parametrize(
    ("key", "value"), [("category_id", 2), ("image_id", 99), ("image_id", [])], ids=str
)
def test_a_reference_that_leads_nowhere_is_named(
    shapes: Path, tmp_path: Path, key: str, value: Any
) -> None:
    message, images = refused(
        shapes, tmp_path, lambda content: content["annotations"][4].update({key: value})
    )
    assert message.endswith(
        f"instances.json: annotation 5: {key} is {value}, which the file lacks or which is left out"
    )
    assert [(reject.kind, reject.id) for reject in images.rejects] == [("annotation", 5)]
    assert 5 not in {a["id"] for a in images.ground_truth()["annotations"]}


@pytest.mark.parametrize(
    ("part", "key", "name"),
    [
        ("annotations", "bbox", "annotation 1: bbox"),
        ("annotations", "area", "annotation 1: area"),
        ("annotations", "image_id", "annotation 1: image_id"),
        ("annotations", "segmentation", "annotation 1: segmentation"),
        ("images", "height", "image 1: height"),
        ("images", "file_name", "image 1: file_name"),
        ("categories", "name", "category 1: name"),
    ],
    ids=lambda value: value if " " in value else "",
)
def test_what_an_entry_lacks_is_named(
    shapes: Path, tmp_path: Path, part: str, key: str, name: str
) -> None:
    message, _ = refused(shapes, tmp_path, lambda content: content[part][0].pop(key))
    assert message.endswith(f"instances.json: {name} is missing")


@pytest.mark.parametrize(
    "segmentation",
    [[], [[1, 2, 3, 4]], {"size": [3, 3], "counts": [9]}, {"counts": "x"}, "x"],
    ids=["no polygon", "a line", "another size", "no size", "text"],
)
def test_a_mask_that_is_none_is_named(shapes: Path, tmp_path: Path, segmentation: Any) -> None:
    message, images = refused(
        shapes,
        tmp_path,
        lambda content: content["annotations"][0].update(segmentation=segmentation),
    )
    assert "annotation 1: segmentation: " in message
    assert images[FOUR_OBJECTS][0].targets.ids.tolist() == [2, 3, 4]


def test_annotations_of_an_image_that_is_left_out_go_with_it(shapes: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["images"][FOUR_OBJECTS]["file_name"] = "../000000000001.jpg"

    images = changed(shapes, tmp_path, change)
    assert [(reject.kind, reject.id) for reject in images.rejects] == [
        ("image", 1),
        *(("annotation", number) for number in (1, 2, 3, 4)),
    ]
    assert len(images) == 7
    truth = images.ground_truth()
    assert 1 not in {image["id"] for image in truth["images"]}
    assert 1 not in {annotation["image_id"] for annotation in truth["annotations"]}


def test_of_two_entries_with_one_id_the_first_stays(shapes: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["annotations"].append(content["annotations"][0] | {"category_id": 7})

    images = changed(shapes, tmp_path, change)
    assert [(reject.kind, reject.id) for reject in images.rejects] == [("annotation", 1)]
    plain = open_set(shapes)[FOUR_OBJECTS][0].targets
    assert images[FOUR_OBJECTS][0].targets.labels.tolist() == plain.labels.tolist()


def test_ids_may_be_long(shapes: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["annotations"][0]["id"] = 2**40

    images = changed(shapes, tmp_path, change)
    assert images.rejects == ()
    assert images[FOUR_OBJECTS][0].targets.ids.tolist() == [2**40, 2, 3, 4]


def test_regions_that_are_no_boxes_are_named_where_regions_are_asked_for(
    shapes: Path, tmp_path: Path
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["images"][EMPTY]["unlabelled"] = [[1, 0.5, 10.0, 20.0, 30.0]]

    assert changed(shapes, tmp_path, change).rejects == ()
    (reject,) = changed(shapes, tmp_path, change, ignore_regions=True).rejects
    assert (reject.kind, reject.id) == ("image", 3)
    assert "expected boxes of 6 numbers" in reject.reason


def test_the_truth_says_of_every_annotation_whether_it_is_a_crowd(
    shapes: Path, tmp_path: Path
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["annotations"][0].pop("iscrowd")
        content["annotations"][1]["iscrowd"] = None
        content["annotations"][2]["iscrowd"] = True

    truth = changed(shapes, tmp_path, change).ground_truth()
    assert [a["iscrowd"] for a in truth["annotations"][:4]] == [0, 0, 1, 0]


def test_a_missing_picture_is_named(shapes: Path, tmp_path: Path) -> None:
    images = CocoImages(tmp_path, annotations_of(shapes))
    with pytest.raises(DataError, match=r"000000000001\.jpg: cannot be read"):
        images[0]


def test_missing_annotations_are_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: cannot be read .*--data-root"):
        CocoImages(tmp_path, tmp_path / "gone.json")


@pytest.mark.parametrize("content", ["{", "[]", '{"images": []}'], ids=str)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"a\.json: (not a JSON file|expected COCO json with)"):
        CocoImages(tmp_path, tmp_path / "a.json")


def test_annotations_of_other_classes_are_counted(shapes: Path) -> None:
    annotations = json.loads(annotations_of(shapes).read_text())["annotations"]
    ids = [annotation["category_id"] for annotation in annotations]
    images = open_set(shapes, class_names=["triangle"])
    assert images.other_classes == {"circle": ids.count(1), "square": ids.count(3)}
    assert open_set(shapes).other_classes == {}


def test_objects_that_can_be_learned_are_counted(shapes: Path) -> None:
    images = open_set(shapes)
    assert [images.num_objects(i) for i in range(len(images))] == [
        len(images[i][0].targets) for i in range(len(images))
    ]
