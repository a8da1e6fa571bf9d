"""Cityscapes in its official layout: every picture is a clip of one frame.

The annotation of a picture is another one, whose values are the objects: 1000 x class + number; a
value below 1000 is of a class alone, and for a class of objects means a group that nobody has
taken apart.
"""

import logging
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from qivis.data.images import read_image_of_size, read_values
from qivis.data.rejects import Reject
from qivis.errors import DataError
from qivis.ops.crops import find_crops
from qivis.structures import Categories, Clip, Sample, Targets
from qivis.structures.cityscapes import CITYSCAPES

log = logging.getLogger(__name__)

PICTURE, ANNOTATION = "_leftImg8bit.png", "_gtFine_instanceIds.png"
IDS_OF_A_CLASS = 1000
_PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # width and height follow
_NAMED = 3  # rejects that the warning speaks of one by one


class CityscapesImages(Dataset[Clip]):
    """Pictures of streets and the instances in them.

    categories: the classes; `categories.entries[label]`, with the official ids.
    rejects: pictures that cannot be used, and are left out.
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
        """Look through all annotations; pictures are read one by one when asked for.

        Args:
            images: a part of leftImg8bit, with a folder for each city.
            annotations: the same part of gtFine.
            class_names: classes to keep, in this order; empty for all eight.
            ignore_regions: whether groups become ignored regions, one box around all of a class;
                else they are left out.
            strict: whether a picture that cannot be used is an error; else it is left out, and
                among `rejects`.

        Raises:
            DataError: if there are no annotations, or there is no class of a name.
        """
        self.folder = images
        self.annotations = annotations
        self.categories = _choose(class_names)
        self._labels = {category.id: i for i, category in enumerate(self.categories)}
        self._ignore_regions = ignore_regions
        paths = sorted(annotations.glob(f"*/*{ANNOTATION}"), key=lambda path: path.name)
        if not paths:
            raise DataError(
                f"{annotations}: no CITY/*{ANNOTATION} there; --data-root names the folder that "
                "holds the data set, see datasets/README.md for its layout"
            )
        with ThreadPoolExecutor() as threads:  # decoding, most of the work, lets others run
            found = list(threads.map(self._look, paths))
        self._streets = [street for street in found if isinstance(street, _Street)]
        self.rejects = tuple(reject for reject in found if isinstance(reject, Reject))
        self._tell_of_rejects(strict=strict)

    def __len__(self) -> int:
        return len(self._streets)

    def __getitem__(self, index: int) -> Clip:
        """The picture at a position as a clip of one frame, objects in the order of their ids."""
        street = self._streets[index]
        pixels = read_image_of_size(street.picture, street.size)
        values = torch.from_numpy(read_values(street.annotation).astype(np.int32))
        ids = torch.tensor([value for value in street.values if self._is_object(value)])
        groups = [value for value in street.values if value in self._labels]
        regions = torch.tensor(groups if self._ignore_regions else [])
        return (Sample(pixels, self._targets(values, ids), _boxes(_masks(values, regions))),)

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of a picture."""
        return self._streets[index].size

    def image_id(self, index: int) -> str:
        """City, sequence and frame, which files of the picture begin with."""
        return self._streets[index].name

    def picture(self, index: int) -> Path:
        """The file of a picture."""
        return self._streets[index].picture

    def annotation(self, index: int) -> Path:
        """The annotation of a picture, a PNG of 16 bits."""
        return self._streets[index].annotation

    def trainable(self, *, min_side: int, keep_empty: bool) -> list[int]:
        """Positions of the pictures to train on.

        Args:
            min_side: pixels; pictures with a shorter side are left out.
            keep_empty: whether pictures without objects (groups do not count) stay.
        """
        return [
            index
            for index, street in enumerate(self._streets)
            if min(street.size) >= min_side
            and (keep_empty or any(map(self._is_object, street.values)))
        ]

    def _look(self, path: Path) -> "_Street | Reject":
        name = path.name.removesuffix(ANNOTATION)
        picture = self.folder / path.parent.name / f"{name}{PICTURE}"
        try:
            values = read_values(path)
            size = _png_size(picture)
        except DataError as error:
            return Reject("image", name, str(error))
        if size != values.shape:
            height, width = values.shape
            reason = f"{path}: {width} x {height} pixels, the picture has {size[1]} x {size[0]}"
            return Reject("image", name, reason)
        present = np.flatnonzero(np.bincount(values.ravel()))
        return _Street(name, picture, path, size, tuple(present.tolist()))

    def _is_object(self, value: int) -> bool:
        return value // IDS_OF_A_CLASS in self._labels

    def _targets(self, values: Tensor, ids: Tensor) -> Targets:
        masks = _masks(values, ids)
        labels = [self._labels[value // IDS_OF_A_CLASS] for value in ids.tolist()]
        return Targets(
            size=(values.shape[0], values.shape[1]),
            boxes=_boxes(masks),
            labels=torch.tensor(labels, dtype=torch.int64),
            masks=masks,
            ids=ids.to(torch.int64),
        )

    def _tell_of_rejects(self, *, strict: bool) -> None:
        if strict and self.rejects:
            raise DataError(f"{self.annotations}: {self.rejects[0]}")
        if self.rejects:
            named = "; ".join(map(str, self.rejects[:_NAMED]))
            rest = " ..." if len(self.rejects) > _NAMED else ""
            number = len(self.rejects)
            log.warning("%s: %d pictures left out: %s%s", self.annotations, number, named, rest)


@dataclass(frozen=True)
class _Street:
    """name: city, sequence and frame. size: (H, W). values: that the annotation has, sorted."""

    name: str
    picture: Path
    annotation: Path
    size: tuple[int, int]
    values: tuple[int, ...]


def _choose(class_names: Sequence[str]) -> Categories:
    by_name = {category.name: category for category in CITYSCAPES}
    unknown = [name for name in class_names if name not in by_name]
    if unknown:
        raise DataError(
            f"Cityscapes has no class {', '.join(unknown)} (data.class_names); it has "
            f"{', '.join(by_name)}"
        )
    return Categories(tuple(by_name[name] for name in class_names)) if class_names else CITYSCAPES


def _masks(values: Tensor, chosen: Tensor) -> Tensor:
    """(N, H, W) bool: where a picture of values has each of N values."""
    return values == chosen.to(values.dtype)[:, None, None]


def _boxes(masks: Tensor) -> Tensor:
    """(N, 4) around N masks, x1 y1 x2 y2."""
    corners = [
        [crop.left, crop.top, crop.left + crop.pixels.shape[1], crop.top + crop.pixels.shape[0]]
        for crop in find_crops(masks)
    ]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)


def _png_size(path: Path) -> tuple[int, int]:
    """(H, W) of a PNG, by its head alone."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_PNG_HEAD) + 8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if len(head) < len(_PNG_HEAD) + 8 or not head.startswith(_PNG_HEAD):
        raise DataError(f"{path}: not a PNG file")
    width, height = struct.unpack(">II", head[len(_PNG_HEAD) :])
    return height, width
