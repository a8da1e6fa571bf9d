"""COCO-format image sets: every image is a clip of one frame."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from qivis.data.annotations import choose_categories, read_annotations, read_categories
from qivis.data.fields import (
    check_area,
    check_box,
    check_file_name,
    check_flag,
    check_listed,
    check_mask,
    check_size,
    is_numbers,
    value_of,
)
from qivis.data.images import read_image_of_size
from qivis.data.rejects import Sieve, UnfitError, shown
from qivis.ops import rle
from qivis.structures import Clip, Sample, Targets

log = logging.getLogger(__name__)


class CocoImages(Dataset[Clip]):
    """Images and instance annotations in the official layout.

    categories: the classes; `categories.entries[label]`.
    rejects: entries of the file that cannot be used, and are left out.
    other_classes: annotations by the name of their class, where that is not asked for.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path,
        *,
        class_names: Sequence[str] = (),
        ignore_regions: bool = False,
        strict: bool = False,
    ) -> None:
        """Read the annotations; pictures are read one by one when asked for.

        Args:
            images: the folder of pictures.
            annotations: the instances json.
            class_names: classes to keep, each a category or a supercategory of the file; objects
                of other categories are left out. Empty for all categories as they are.
            ignore_regions: whether crowds and the images' `unlabelled` boxes become ignored
                regions; else both are left out.
            strict: whether an entry that cannot be used is an error; else it is left out, and
                among `rejects`.

        Raises:
            DataError: if the file cannot be read or is of another kind.
        """
        self.folder = images
        self._ignore_regions = ignore_regions
        content = read_annotations(
            annotations, "COCO json", ("images", "annotations", "categories")
        )
        sieve = Sieve(annotations, strict=strict)
        listed = read_categories(content, annotations, sieve)
        self.categories, self._labels = choose_categories(listed, class_names, annotations)
        read = _read_image_with_regions if ignore_regions else _read_image
        by_id = {image["id"]: image for image in sieve.sift(content, "images", read)}
        self._images: list[dict[str, Any]] = [by_id[number] for number in sorted(by_id)]
        names = {category["id"]: category["name"] for category in listed}
        known = _Known(names.keys(), by_id)
        # All of them, as an evaluation wants them; objects are those that can be learned.
        self._annotations: dict[int, list[dict[str, Any]]] = {number: [] for number in by_id}
        self.other_classes = Counter[str]()
        for annotation in sieve.sift(content, "annotations", known.read):
            if annotation["category_id"] in self._labels:
                self._annotations[annotation["image_id"]].append(annotation)
            else:
                self.other_classes[names[annotation["category_id"]]] += 1
        self._objects = {
            image["id"]: [a for a in self._annotations[image["id"]] if _is_object(a, image)]
            for image in self._images
        }
        self.rejects = sieve.rejects
        sieve.warn()
        self._warn_of_slivers(annotations)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Clip:
        """The image at a position as a clip of one frame, objects in the order of the file."""
        image = self._images[index]
        size = self.size(index)
        pixels = read_image_of_size(self.folder / image["file_name"], size)
        targets = self._targets(self._objects[image["id"]], size)
        return (Sample(pixels, targets, self._ignored(image)),)

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of an image, as the annotations say."""
        return int(self._images[index]["height"]), int(self._images[index]["width"])

    def image_id(self, index: int) -> int:
        """What the annotations call the image."""
        return int(self._images[index]["id"])

    def num_objects(self, index: int) -> int:
        """How many objects of an image can be learned: no crowds, nothing below one pixel."""
        return len(self._objects[self._images[index]["id"]])

    def trainable(self, *, min_side: int, keep_empty: bool) -> list[int]:
        """Positions of the images to train on.

        Args:
            min_side: pixels; images with a shorter side are left out.
            keep_empty: whether images without objects (crowds do not count) stay.
        """
        return [
            index
            for index, image in enumerate(self._images)
            if min(self.size(index)) >= min_side and (keep_empty or self._objects[image["id"]])
        ]

    def ground_truth(self) -> dict[str, Any]:
        """What an evaluation compares with: COCO json with the ids of `categories`, and crowds."""
        annotations = [
            a
            | {"category_id": self.categories.entries[self._labels[a["category_id"]]].id}
            | {"iscrowd": int(a.get("iscrowd") or 0)}  # pycocotools does not do without
            for image in self._images
            for a in self._annotations[image["id"]]
        ]
        categories = [{"id": category.id, "name": category.name} for category in self.categories]
        return {"images": self._images, "annotations": annotations, "categories": categories}

    def _warn_of_slivers(self, path: Path) -> None:
        shown = sum(len(objects) for objects in self._objects.values())
        single = sum(not a.get("iscrowd") for some in self._annotations.values() for a in some)
        if shown < single:
            log.warning("%s: %d objects below one pixel are not learned", path, single - shown)

    def _ignored(self, image: dict[str, Any]) -> Tensor:
        """(R, 4), the regions of an image whose content is not annotated."""
        regions = []
        if self._ignore_regions:
            regions += image.get("unlabelled", [])
            regions += [a["bbox"] for a in self._annotations[image["id"]] if a.get("iscrowd")]
        # An unlabelled box is [category, score, x, y, w, h], a crowd's [x, y, w, h].
        corners = [[x, y, x + w, y + h] for *_, x, y, w, h in regions]
        return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)

    def _targets(self, annotations: Sequence[dict[str, Any]], size: tuple[int, int]) -> Targets:
        height, width = size
        boxes = []
        for annotation in annotations:
            x, y, w, h = annotation["bbox"]
            boxes.append([max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)])
        return Targets(
            size=size,
            boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(
                [self._labels[a["category_id"]] for a in annotations], dtype=torch.int64
            ),
            masks=rle.decode(
                [rle.from_segmentation(a["segmentation"], size) for a in annotations], size
            ),
            ids=torch.tensor([a["id"] for a in annotations], dtype=torch.int64),
        )


def _is_object(annotation: dict[str, Any], image: dict[str, Any]) -> bool:
    """Whether an annotation is of one object of which the picture shows a pixel or more."""
    x, y, width, height = annotation["bbox"]
    seen = min(x + width, image["width"]) - max(x, 0), min(y + height, image["height"]) - max(y, 0)
    return not annotation.get("iscrowd") and min(seen) >= 1


@dataclass(frozen=True)
class _Known:
    """What annotations may speak of: category ids, and the images by id."""

    category_ids: Collection[int]
    images: Mapping[int, Mapping[str, Any]]

    def read(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """The annotation as it is, checked."""
        check_listed(annotation, "category_id", self.category_ids)
        check_listed(annotation, "image_id", self.images)
        image = self.images[annotation["image_id"]]
        size = (image["height"], image["width"])
        check_box(value_of(annotation, "bbox"), size)
        check_area(annotation)
        check_flag(annotation, "iscrowd")
        check_mask(value_of(annotation, "segmentation"), size)
        return annotation


def _read_image(image: dict[str, Any]) -> dict[str, Any]:
    check_file_name(value_of(image, "file_name"))
    check_size(image)
    return image


def _read_image_with_regions(image: dict[str, Any]) -> dict[str, Any]:
    regions = image.get("unlabelled", [])
    if type(regions) is not list or not all(is_numbers(region, 6) for region in regions):
        raise UnfitError(f"unlabelled is {shown(regions)}, expected boxes of 6 numbers")
    return _read_image(image)
