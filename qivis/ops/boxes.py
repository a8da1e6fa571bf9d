"""Boxes as x1 y1 x2 y2 in pixels, and the few other forms they pass through."""

import math

import torch
from torch import Tensor
from torchvision.ops import box_area

from qivis.ops.upload import upload

SHIFT_STD = 0.5  # of QueryInst's box coder, that of log scales is 1; Cascade R-CNN's: 0.1, 0.2
MAX_LOG_SCALE = abs(math.log(16 / 1000))  # a stage may scale a side by at most 62.5


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """(..., 4) centre and size to (..., 4) corners.

    >>> cxcywh_to_xyxy(torch.tensor([5.0, 5.0, 4.0, 2.0]))
    tensor([3., 4., 7., 6.])
    """
    centre, side = boxes.split(2, dim=-1)
    return torch.cat([centre - side / 2, centre + side / 2], dim=-1)


def xyxy_to_xywh(boxes: Tensor) -> Tensor:
    """(..., 4) corners to (..., 4) top left corner and size, as COCO files have them.

    >>> xyxy_to_xywh(torch.tensor([3.0, 4.0, 7.0, 6.0]))
    tensor([3., 4., 4., 2.])
    """
    top_left, bottom_right = boxes.split(2, dim=-1)
    return torch.cat([top_left, bottom_right - top_left], dim=-1)


def scale_boxes(boxes: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Move boxes from one pixel grid to another.

    Args:
        boxes: (..., 4), x1 y1 x2 y2 in pixels of `old`.
        old, new: (H, W).

    Returns:
        (..., 4), in pixels of `new`.
    """
    vertical, horizontal = new[0] / old[0], new[1] / old[1]
    scale = torch.tensor([horizontal, vertical, horizontal, vertical], dtype=boxes.dtype)
    return boxes * upload(scale, boxes.device)


def clip_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., 4) boxes cut at the borders of an image of (H, W) `size`."""
    height, width = size
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def apply_deltas(boxes: Tensor, deltas: Tensor) -> Tensor:
    """Move and scale boxes by predicted deltas (mmdetection DeltaXYWHBBoxCoder, clip_border=False).

    Args:
        boxes: (..., 4), x1 y1 x2 y2.
        deltas: (..., 4), dx dy in units of the box's sides, times 1 / SHIFT_STD, and dw dh, the
            logarithms of what the sides grow by.

    Returns:
        (..., 4), x1 y1 x2 y2.
    """
    shift, log_scale = deltas.split(2, dim=-1)
    top_left, bottom_right = boxes.split(2, dim=-1)
    side = bottom_right - top_left
    centre = (top_left + bottom_right) / 2 + shift * SHIFT_STD * side
    half = side * log_scale.clamp(-MAX_LOG_SCALE, MAX_LOG_SCALE).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def apart(boxes: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """Boxes moved so far apart that one NMS treats each class of each image by itself.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, of any images; N is not 0.
        images, labels: (N,) int64, counted from 0; what both are 0 for stays where it is.

    Returns:
        (N, 4); only boxes of one image and one class can overlap.
    """
    span = boxes.max() - boxes.min() + 1
    # Along two axes: the further away, the less exact are coordinates in float32.
    return boxes + (torch.stack([labels, images], dim=1) * span).repeat(1, 2)


def covered_share(boxes: Tensor, regions: Tensor) -> Tensor:
    """The share of each box that its best covering region covers.

    Args:
        boxes: (N, 4), x1 y1 x2 y2.
        regions: (R, 4), likewise.

    Returns:
        (N,) in [0, 1]; 0 where there is no region.
    """
    top_left = torch.maximum(boxes[:, None, :2], regions[:, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], regions[:, 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(dim=-1)  # (N, R)
    nothing = boxes.new_zeros(len(boxes), 1)
    areas: Tensor = box_area(boxes)
    return torch.cat([nothing, shared], dim=1).amax(dim=1) / areas.clamp(min=1e-6)
