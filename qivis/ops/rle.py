"""Masks as COCO run lengths: the one door to pycocotools' mask functions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor


def encode(masks: Tensor) -> list[dict[str, Any]]:
    """Run lengths of masks.

    Args:
        masks: (N, H, W) bool.

    Returns:
        N dicts {"size": [H, W], "counts": compressed string}.
    """
    columns = np.asfortranarray(masks.detach().cpu().numpy().astype(np.uint8).transpose(1, 2, 0))
    return [
        {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
        for rle in coco_mask.encode(columns)
    ]


def decode(rles: Sequence[Any], size: tuple[int, int]) -> Tensor:
    """Masks of compressed run lengths.

    Args:
        rles: N dicts as `encode` gives them, or with `counts` as bytes.
        size: (H, W), which every one of them must have.

    Returns:
        (N, H, W) bool.
    """
    if not rles:
        return torch.zeros(0, *size, dtype=torch.bool)
    columns = coco_mask.decode([_with_bytes(rle) for rle in rles])  # (H, W, N)
    return torch.from_numpy(np.ascontiguousarray(columns.transpose(2, 0, 1))).bool()


def from_segmentation(segmentation: Any, size: tuple[int, int]) -> dict[str, Any]:
    """One compressed run length of any COCO segmentation.

    Args:
        segmentation: a list of polygons [x1, y1, x2, y2, ...] in pixels, an uncompressed RLE
            (`counts` a list of numbers) or a compressed one (`counts` a string).
        size: (H, W) of the image.

    Raises:
        ValueError: if it is none of these, or its size is not the image's.
    """
    height, width = size
    if isinstance(segmentation, list):
        if not segmentation or any(len(polygon) < 6 for polygon in segmentation):
            raise ValueError("expected polygons of at least 3 points (6 numbers) each")
        merged = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation, dict) and {"size", "counts"} <= segmentation.keys():
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(
                f"run lengths are of size {segmentation['size']}, the image is {[height, width]}"
            )
        if isinstance(segmentation["counts"], list):
            if sum(segmentation["counts"]) != height * width:
                raise ValueError(f"run lengths do not add up to {height} x {width} pixels")
            merged = coco_mask.frPyObjects(segmentation, height, width)
        else:
            merged = _with_bytes(segmentation)
    else:
        raise ValueError("expected a list of polygons or an RLE with 'size' and 'counts'")
    return {"size": [height, width], "counts": merged["counts"].decode("ascii")}


def area(rle: dict[str, Any]) -> int:
    """Pixels that are set."""
    return int(coco_mask.area(_with_bytes(rle)))


def to_box(rle: dict[str, Any]) -> list[float]:
    """The tightest [x, y, width, height] around the set pixels; zeros where there is none."""
    return [float(value) for value in coco_mask.toBbox(_with_bytes(rle))]


def _with_bytes(rle: Any) -> dict[str, Any]:
    counts = rle["counts"]
    return {
        "size": rle["size"],
        "counts": counts.encode("ascii") if isinstance(counts, str) else counts,
    }
