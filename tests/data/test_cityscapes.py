"""Cityscapes as drawn by hand, and eight real pictures of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from qivis.data.cityscapes import CityscapesImages
from qivis.errors import DataError
from tests.streets import SIZE, STREETS, make_streets, mask_of

FIRST = "aachen_000000_000019"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_streets(tmp_path, "train")


def streets(root: Path, **settings: object) -> CityscapesImages:
    return CityscapesImages(root / "leftImg8bit/train", root / "gtFine/train", **settings)  # type: ignore[arg-type]


def annotation(root: Path, name: str) -> Path:
    return root / "gtFine/train" / name.split("_")[0] / f"{name}_gtFine_instanceIds.png"


def test_objects_have_their_classes_boxes_and_masks(root: Path) -> None:
    images = streets(root)
    (sample,) = images[0]
    targets = sample.targets
    assert targets.ids.tolist() == [24000, 26000, 26001]
    names = [images.categories.names[label] for label in targets.labels.tolist()]
    assert names == ["person", "car", "car"]
    assert targets.boxes.tolist() == [[60, 15, 70, 45], [5, 20, 45, 40], [75, 45, 90, 57]]
    for value, mask in zip(targets.ids.tolist(), targets.masks, strict=True):
        assert np.array_equal(mask.numpy(), mask_of(FIRST, value))
    assert sample.image[:, 20, 5].tolist() == [0, 0, 220]  # RGB
    assert len(sample.ignored) == 0


def test_pictures_are_in_order_of_their_names_with_their_sizes(root: Path) -> None:
    images = streets(root)
    assert [images.image_id(index) for index in range(len(images))] == list(STREETS)
    assert images.size(2) == SIZE
    assert images.annotation(2) == annotation(root, "bonn_000000_000019")


def test_groups_are_ignored_regions_where_these_are_asked_for(root: Path) -> None:
    images = streets(root, ignore_regions=True)
    assert [images[index][0].ignored.tolist() for index in range(3)] == [
        [[60, 2, 90, 12]],
        [],
        [[10, 20, 60, 50]],
    ]
    assert len(images[2][0].targets) == 0


def test_classes_are_chosen_by_name_and_keep_their_official_ids(root: Path) -> None:
    images = streets(root, class_names=["car", "rider"], ignore_regions=True)
    assert [(c.id, c.name) for c in images.categories] == [(26, "car"), (25, "rider")]
    (first,), (second,) = images[0], images[1]
    assert first.targets.labels.tolist() == [0, 0]
    assert second.targets.labels.tolist() == [1, 0]
    assert len(first.ignored) == 0  # the group is of persons


def test_an_unknown_class_is_answered_with_the_known_ones(root: Path) -> None:
    with pytest.raises(DataError, match=r"no class caravan .*it has person, rider, car, truck"):
        streets(root, class_names=["car", "caravan"])


def test_pictures_without_objects_and_small_ones_are_not_trained_on(root: Path) -> None:
    images = streets(root)
    assert images.trainable(min_side=64, keep_empty=False) == [0, 1]
    assert images.trainable(min_side=64, keep_empty=True) == [0, 1, 2]
    assert images.trainable(min_side=65, keep_empty=True) == []
    assert streets(root, class_names=["person"]).trainable(min_side=1, keep_empty=False) == [0]


def cut_off(root: Path) -> None:
    path = annotation(root, FIRST)
    path.write_bytes(path.read_bytes()[:40])


def of_another_size(root: Path) -> None:
    Image.fromarray(np.zeros((64, 95), dtype=np.uint16)).save(annotation(root, FIRST))


def of_eight_bits(root: Path) -> None:
    Image.fromarray(np.zeros(SIZE, dtype=np.uint8)).save(annotation(root, FIRST))


def without_picture(root: Path) -> None:
    (root / "leftImg8bit/train/aachen" / f"{FIRST}_leftImg8bit.png").unlink()


def with_a_picture_of_nothing(root: Path) -> None:
    (root / "leftImg8bit/train/aachen" / f"{FIRST}_leftImg8bit.png").write_bytes(b"nothing")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_off, "not a readable picture"),
        (of_another_size, "95 x 64 pixels, the picture has 96 x 64"),
        (of_eight_bits, "expected one channel of 16 bits, got 1 of 8 bits"),
        (without_picture, "leftImg8bit.png: cannot be read"),
        (with_a_picture_of_nothing, "not a PNG file"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_named(
    root: Path, damage: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage(root)  # type: ignore[operator]
    images = streets(root)
    (reject,) = images.rejects
    assert (reject.kind, reject.id) == ("image", FIRST)
    assert reason in reject.reason
    assert [images.image_id(index) for index in range(len(images))] == list(STREETS)[1:]
    assert f"1 pictures left out: image '{FIRST}': " in caplog.text
    with pytest.raises(DataError, match=f"gtFine/train: image '{FIRST}': "):
        streets(root, strict=True)


def test_a_folder_without_annotations_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gtFine/train: no CITY/\*_gtFine.*--data-root"):
        streets(tmp_path)


def test_real_pictures_have_the_objects_that_their_annotations_show(shared_data: Path) -> None:
    images = streets(shared_data / "data" / "cityscapes_sample", ignore_regions=True)
    assert (len(images), images.rejects) == (8, ())
    for index in (0, 2):
        with Image.open(images.annotation(index)) as picture:
            values = np.array(picture)
        thing = np.isin(values // 1000, [category.id for category in images.categories])
        (sample,) = images[index]
        assert sample.targets.ids.tolist() == np.unique(values[thing]).tolist()
        assert torch.equal(sample.targets.masks.any(dim=0), torch.from_numpy(thing))
    assert len(images[2][0].ignored) == 1  # a group of cars
