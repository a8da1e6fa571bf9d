"""Masks as COCO run lengths: the one door to pycocotools' mask functions.

It reads run lengths; writing them is faster by `crops`, which looks at objects only.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

from qivis.ops.crops import Crop, find_crops, runs_of
from qivis.ops.run_lengths import compress
from qivis.ops.segmentations import check_segmentation


class Rle(TypedDict):
    """A mask as COCO run lengths: `size` is [H, W], `counts` the compressed string."""

    size: list[int]
    counts: str


def encode(masks: Tensor) -> list[Rle]:
    """Run lengths of (N, H, W) bool masks, N of them."""
    height, width = masks.shape[1:]
    return encode_crops(find_crops(masks), (height, width))


def encode_crops(crops: Sequence[Crop], size: tuple[int, int]) -> list[Rle]:
    """Run lengths of N masks of which only these parts are known, and all is unset elsewhere.

    Args:
        crops: N, inside the picture.
        size: (H, W) of the picture.
    """
    runs = runs_of(crops, size)
    return [
        {"size": list(size), "counts": counts} for counts in compress(runs.lengths, runs.counts)
    ]


def decode(rles: Sequence[Rle], size: tuple[int, int]) -> Tensor:
    """Masks of compressed run lengths.

    Args:
        rles: N masks of the same size.
        size: (H, W) of each.

    Returns:
        (N, H, W) bool.
    """
    if not rles:
        return torch.zeros(0, *size, dtype=torch.bool)
    columns = coco_mask.decode(list(rles))  # (H, W, N)
    return torch.from_numpy(np.ascontiguousarray(columns.transpose(2, 0, 1))).bool()


def from_segmentation(segmentation: Any, size: tuple[int, int]) -> Rle:
    """One compressed run length of any COCO segmentation.

    Args:
        segmentation: a list of polygons [x1, y1, x2, y2, ...] in pixels, an uncompressed RLE
            (`counts` a list of numbers) or a compressed one (`counts` a string).
        size: (H, W) of the image.

    Raises:
        ValueError: if it is none of these, or its size is not the image's.
    """
    check_segmentation(segmentation, size)
    height, width = size
    if isinstance(segmentation, list):
        merged = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        merged = coco_mask.frPyObjects(segmentation, height, width)
    else:
        merged = segmentation
    counts = merged["counts"]  # pycocotools takes text and bytes, and gives bytes
    return {
        "size": [height, width],
        "counts": counts if isinstance(counts, str) else counts.decode("ascii"),
    }


def area(rle: Rle) -> int:
    """Pixels that are set."""
    return int(coco_mask.area(rle))


def to_box(rle: Rle) -> list[float]:
    """The tightest [x, y, width, height] around the set pixels; zeros where there is none."""
    return [float(value) for value in coco_mask.toBbox(rle)]


def areas(rles: Sequence[Any]) -> NDArray[np.int64]:
    """(N,) set pixels of N masks."""
    # pycocotools 2.0.11 fails on more than 255 at once: it keeps their number in a byte.
    parts = [
        np.asarray(coco_mask.area(list(rles[start : start + 255])))
        for start in range(0, len(rles), 255)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts], dtype=np.int64)


def overlaps(rows: Sequence[Any], columns: Sequence[Any]) -> NDArray[np.float64]:
    """(N, M) intersections over unions of N and M masks of one picture.

    Pairs of masks that are not of one size overlap nowhere.
    """
    if not len(rows) or not len(columns):  # pycocotools returns a list then
        return np.zeros((len(rows), len(columns)))
    ratios: NDArray[np.float64] = coco_mask.iou(
        list(rows),
        list(columns),
        [False] * len(columns),  # crowds would be measured by another rule
    )
    return np.clip(ratios, 0, None)
