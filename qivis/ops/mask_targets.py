"""Annotated masks on the grids of predicted boxes: what the mask branch is to draw."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import roi_align


def crop_masks(masks: Tensor, boxes: Tensor, objects: Tensor, side: int) -> Tensor:
    """Cut masks out by boxes.

    Each bin of a grid is the mean of samples, one to a pixel, of the mask between its pixels; 0.5
    and more is inside (mmdetection BitmapMasks.crop_and_resize).

    Args:
        masks: (N, H, W) bool, the objects of one image.
        boxes: (P, 4), x1 y1 x2 y2 in pixels, within the image; without gradient.
        objects: (P,) int64, the row of `masks` that each box is to cut out.
        side: M of the grid.

    Returns:
        (P, M, M) float32, 0 or 1, on the same device.
    """
    by_device = crop_whole if masks.device.type == "cuda" else _crop_by_products
    with torch.autocast(masks.device.type, enabled=False):
        # Boxes of a model that has diverged are no indices; its loss is what reports the trouble.
        means = by_device(masks, boxes.float().nan_to_num(), objects, side)
    return (means >= 0.5).float()


def crop_whole(masks: Tensor, boxes: Tensor, objects: Tensor, side: int) -> Tensor:
    """The (P, M, M) means of `crop_masks`, out of whole masks by RoIAlign."""
    rois = torch.cat([objects[:, None].to(boxes.dtype), boxes], dim=1)
    crops: Tensor = roi_align(masks[:, None].to(boxes.dtype), rois, side, aligned=True)
    return crops[:, 0]


def _crop_by_products(masks: Tensor, boxes: Tensor, objects: Tensor, side: int) -> Tensor:
    """The same: means of rows, and then of columns, are products of matrices.

    For CPUs. Only what is in the boxes is looked at, and no sample is taken one by one.
    """
    corners = boxes.double().numpy()
    lefts, across = _means(corners[:, 0], corners[:, 2], masks.shape[2], side)
    tops, down = _means(corners[:, 1], corners[:, 3], masks.shape[1], side)
    crops = torch.empty(len(boxes), side, side)
    for crop, index, top, left, rows, columns in zip(
        crops, objects.tolist(), tops, lefts, down, across, strict=True
    ):
        seen = masks[index, top : top + len(rows), left : left + len(columns)].float()
        torch.mm(rows.T @ seen, columns, out=crop)
    return crops


def _means(
    low: NDArray[np.float64], high: NDArray[np.float64], length: int, side: int
) -> tuple[list[int], tuple[Tensor, ...]]:
    """Along one axis, for P boxes: the first pixel, and the shares of pixels in the bins' means.

    Returns:
        P indices, and P of (pixels, M) float32.
    """
    high, last = np.maximum(high, low), length - 1
    first = np.floor((low - 0.5).clip(0, last)).astype(np.int64)
    pixels = np.floor((high - 0.5).clip(0, last)).astype(np.int64) + 2 - first
    starts = np.cumsum(pixels) - pixels

    # All samples of all boxes, one after the other; none of a box without extent.
    of_bin = np.ceil((high - low) / side).astype(np.int64)
    counts = of_bin * side
    box = np.repeat(np.arange(len(low)), counts)
    number = np.arange(len(box)) - np.repeat(np.cumsum(counts) - counts, counts)
    position = low[box] - 0.5 + (number + 0.5) * ((high - low) / counts.clip(1))[box]
    position = position.clip(0, last)
    lower = np.floor(position)
    upper_share = position - lower

    # Each lies between two pixels. Where it is on the last, the next has no share and is cut off.
    place = ((starts - first)[box] + lower.astype(np.int64)) * side + number // of_bin[box]
    shares = np.concatenate([1 - upper_share, upper_share]) / np.tile(of_bin[box], 2)
    size = int(pixels.sum()) * side
    table = np.bincount(np.concatenate([place, place + side]), shares, minlength=size)
    weights = torch.from_numpy(table.astype(np.float32)).view(-1, side)
    kept = np.minimum(pixels, length - first).tolist()
    parts = weights.split(pixels.tolist())
    return first.tolist(), tuple(part[:count] for part, count in zip(parts, kept, strict=True))
