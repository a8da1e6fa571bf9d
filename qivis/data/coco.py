"""COCO-format image sets: every image is a clip of one frame."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from qivis.data.annotations import check_reference, choose_categories, read_annotations, to_mask
from qivis.data.images import read_image_of_size
from qivis.errors import DataError
from qivis.ops import rle
from qivis.structures import Clip, Sample, Targets

log = logging.getLogger(__name__)

# What every entry of a part of the file must have; `iscrowd` may be missing, and a segmentation is
# looked at when its picture is read.
_FIELDS = (
    ("images", "image", ("id", "file_name", "height", "width")),
    ("annotations", "annotation", ("id", "bbox", "area")),
    ("categories", "category", ("id", "name")),
)


class CocoImages(Dataset[Clip]):
    """Images and instance annotations in the official layout.

    categories: the classes; `categories.entries[label]`.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path,
        *,
        class_names: Sequence[str] = (),
        ignore_regions: bool = False,
    ) -> None:
        """Read the annotations; pictures are read one by one when asked for.

        Args:
            images: the folder of pictures.
            annotations: the instances json.
            class_names: classes to keep, each a category or a supercategory of the file; objects
                of other categories are left out. Empty for all categories as they are.
            ignore_regions: whether crowds and the images' `unlabelled` boxes become ignored
                regions; else both are left out.

        Raises:
            DataError: if the file cannot be read or does not fit the format.
        """
        self.folder = images
        self._ignore_regions = ignore_regions
        content = read_annotations(annotations, "COCO json", [part for part, _, _ in _FIELDS])
        _check_fields(content, annotations)
        self.categories, self._labels = choose_categories(content, class_names, annotations)
        self._images: list[dict[str, Any]] = sorted(content["images"], key=lambda im: im["id"])
        # All of them, as an evaluation wants them; objects are those that can be learned.
        self._annotations = _by_image(content, self._labels, annotations)
        self._objects = {
            image["id"]: [a for a in self._annotations[image["id"]] if _is_object(a, image)]
            for image in self._images
        }
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
            {**a, "category_id": self.categories.entries[self._labels[a["category_id"]]].id}
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
            masks=rle.decode([_mask(a, size) for a in annotations], size),
            ids=torch.tensor([a["id"] for a in annotations], dtype=torch.int64),
        )


def _mask(annotation: dict[str, Any], size: tuple[int, int]) -> rle.Rle:
    return to_mask(annotation.get("segmentation"), size, f"annotation {annotation['id']}")


def _by_image(
    content: dict[str, Any], labels: dict[int, int], path: Path
) -> dict[int, list[dict[str, Any]]]:
    """Annotations of the wanted classes by image id."""
    known_categories = {category["id"] for category in content["categories"]}
    known_images = {image["id"] for image in content["images"]}
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in content["annotations"]:
        check_reference(annotation, "category_id", known_categories, path)
        check_reference(annotation, "image_id", known_images, path)
        if annotation["category_id"] in labels:
            by_image[annotation["image_id"]].append(annotation)
    return by_image


def _is_object(annotation: dict[str, Any], image: dict[str, Any]) -> bool:
    """Whether an annotation is of one object of which the picture shows a pixel or more."""
    x, y, width, height = annotation["bbox"]
    seen = min(x + width, image["width"]) - max(x, 0), min(y + height, image["height"]) - max(y, 0)
    return not annotation.get("iscrowd") and annotation["area"] > 0 and min(seen) >= 1


def _check_fields(content: dict[str, Any], path: Path) -> None:
    for part, kind, names in _FIELDS:
        for entry in content[part]:
            for name in names:
                if entry.get(name) is None:
                    raise DataError(f"{path}: {kind} {entry.get('id')} has no {name}")
