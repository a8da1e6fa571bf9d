"""Which detections of a frame show the same object: non-maximum suppression by masks."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qivis.tracking.affinity import box_iou

SAME_BOX = 0.999  # IoU of two boxes that differ by rounding


def stand_ins(rows: Tensor, boxes: Tensor, masks: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression by masks: which detection stands for each.

    Args:
        rows: (P,) int64, the detections in question, best score first.
        boxes: (D, 4), x1 y1 x2 y2 in pixels, around the masks.
        masks: (D, H, W) bool.
        threshold: a detection whose mask has a larger IoU with that of a better one is a
            duplicate. Masks are compared only where the IoU of their boxes exceeds half of it.

    Returns:
        (P,) int64, positions in `rows`: its own for a detection that remains; that of a better one
        in the same box, for this is one query, detected as of two classes; -1 for a duplicate.
    """
    corners, pixels = boxes[rows], masks.numpy()
    overlaps = box_iou(corners, corners).numpy()
    index, bounds = rows.tolist(), corners.tolist()

    @cache  # a mask that is close to several others is measured once
    def crop(position: int) -> _Crop:
        return _crop(pixels[index[position]], bounds[position])

    others = list(range(len(index)))
    # By the better one: it is settled by then.
    for pair in np.flatnonzero(overlaps > threshold / 2).tolist():
        better, worse = divmod(pair, len(index))
        if worse <= better or others[better] != better or others[worse] != worse:
            continue
        if overlaps[better, worse] > SAME_BOX:
            others[worse] = better
        elif _iou(crop(better), crop(worse)) > threshold:
            others[worse] = -1
    return torch.from_numpy(np.array(others, dtype=np.int64))


class _Crop(NamedTuple):
    """A mask (H, W), the pixels left, top, right, bottom that its box touches, and its area."""

    mask: NDArray[np.bool_]
    left: int
    top: int
    right: int
    bottom: int
    area: int


def _crop(mask: NDArray[np.bool_], box: list[float]) -> _Crop:
    x1, y1, x2, y2 = (max(side, 0) for side in box)
    left, top, right, bottom = math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)
    area = int(np.count_nonzero(mask[top:bottom, left:right]))
    return _Crop(mask, left, top, right, bottom, area)


def _iou(first: _Crop, second: _Crop) -> float:
    """IoU of two masks; 0 for two empty ones."""
    rows = slice(max(first.top, second.top), min(first.bottom, second.bottom))
    columns = slice(max(first.left, second.left), min(first.right, second.right))
    shared = int(np.count_nonzero(first.mask[rows, columns] & second.mask[rows, columns]))
    return shared / max(first.area + second.area - shared, 1)
