"""COCO-format image sets: every image is a clip of one frame."""

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from qivis.data.images import read_image_of_size
from qivis.errors import DataError
from qivis.ops import rle
from qivis.structures import Categories, Category, Clip, Sample, Targets

log = logging.getLogger(__name__)


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
        self.folder = Path(images)
        self._ignore_regions = ignore_regions
        content = _read_json(Path(annotations))
        self.categories, self._labels = _choose_categories(content, class_names, annotations)
        self._images: list[dict[str, Any]] = sorted(content["images"], key=lambda im: im["id"])
        self._annotations = _by_image(content, self._labels, annotations)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Clip:
        """The image at a position as a clip of one frame, objects in the order of the file."""
        image = self._images[index]
        size = self.size(index)
        pixels = read_image_of_size(self.folder / image["file_name"], size)
        objects, regions = [], list(image.get("unlabelled", [])) if self._ignore_regions else []
        for annotation in self._annotations[image["id"]]:
            if not annotation.get("iscrowd"):
                objects.append(annotation)
            elif self._ignore_regions:
                regions.append(annotation["bbox"])
        # An unlabelled box is [category, score, x, y, w, h], a crowd's [x, y, w, h].
        corners = [[x, y, x + w, y + h] for *_, x, y, w, h in regions]
        ignored = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)
        return (Sample(pixels, self._targets(objects, size), ignored),)

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
            if min(self.size(index)) >= min_side
            and (keep_empty or any(not a.get("iscrowd") for a in self._annotations[image["id"]]))
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
    try:
        return rle.from_segmentation(annotation["segmentation"], size)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"annotation {annotation['id']}: segmentation: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); --data-root names the folder that holds "
            "the data set, see datasets/README.md for its layout"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(content, dict) or not {"images", "annotations", "categories"} <= set(content):
        raise DataError(f"{path}: expected COCO json with 'images', 'annotations', 'categories'")
    return content


def _choose_categories(
    content: dict[str, Any], class_names: Sequence[str], path: Path
) -> tuple[Categories, dict[int, int]]:
    """The classes, and which label each of the file's category ids has."""
    listed = sorted(content["categories"], key=lambda category: category["id"])
    if not class_names:
        entries = tuple(Category(c["id"], c["name"]) for c in listed)
        return Categories(entries), {category.id: i for i, category in enumerate(entries)}
    labels: dict[int, int] = {}
    for category in listed:
        for kind in (category["name"], category.get("supercategory")):
            if kind in class_names:
                labels.setdefault(category["id"], class_names.index(kind))
    missing = set(class_names) - {class_names[label] for label in labels.values()}
    if missing:
        raise DataError(
            f"{path}: no category or supercategory is called {', '.join(sorted(missing))}; "
            f"there are {', '.join(c['name'] for c in listed)}"
        )
    entries = tuple(Category(i + 1, name) for i, name in enumerate(class_names))
    return Categories(entries), labels


def _by_image(
    content: dict[str, Any], labels: dict[int, int], path: Path
) -> dict[int, list[dict[str, Any]]]:
    """Annotations of the wanted classes by image id; those without area are left out."""
    known_categories = {category["id"] for category in content["categories"]}
    known_images = {image["id"] for image in content["images"]}
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    empty = 0
    for annotation in content["annotations"]:
        _check_reference(annotation, "category_id", known_categories, path)
        _check_reference(annotation, "image_id", known_images, path)
        if annotation["category_id"] not in labels:
            continue
        _, _, width, height = annotation["bbox"]
        if annotation["area"] <= 0 or width < 1 or height < 1:
            empty += 1
            continue
        by_image[annotation["image_id"]].append(annotation)
    if empty:
        log.warning("%s: skipped %d annotations below one pixel", path, empty)
    return by_image


def _check_reference(
    annotation: dict[str, Any], key: str, known: Collection[int], path: Path
) -> None:
    if annotation.get(key) not in known:
        raise DataError(
            f"{path}: annotation {annotation.get('id')} has {key} {annotation.get(key)}, "
            "which the file does not list"
        )
