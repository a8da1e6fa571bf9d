"""Annotated masks on the grids of predicted boxes: what the mask branch is to draw."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import roi_align


def crop_masks(
    masks: Sequence[Tensor], boxes: Sequence[Tensor], objects: Sequence[Tensor], side: int
) -> Tensor:
    """Cut masks out by boxes.

    Each bin of a grid is the mean of samples, at least one to a pixel, of the mask between its
    pixels; 0.5 and more is inside (mmdetection BitmapMasks.crop_and_resize).

    Args:
        masks: for each image (N, H, W) bool, its objects.
        boxes: likewise (P, 4), x1 y1 x2 y2 in pixels, within the image; no gradient flows there.
        objects: likewise (P,) int64, the row of `masks` that each box is to cut out.
        side: M of the grids.

    Returns:
        (sum of P, M, M) float32, 0 or 1, image after image, on the same device.
    """
    # Boxes of a model that has diverged are no indices; its loss is what reports the trouble.
    finite = [of_image.detach().float().nan_to_num() for of_image in boxes]
    device = finite[0].device.type
    by_device = _crop_by_products if device == "cpu" else crop_whole
    with torch.autocast(device, enabled=False):
        return (by_device(masks, finite, objects, side) >= 0.5).float()


def crop_whole(
    masks: Sequence[Tensor], boxes: Sequence[Tensor], objects: Sequence[Tensor], side: int
) -> Tensor:
    """The means of `crop_masks`, out of whole masks by RoIAlign."""
    crops = []
    for of_image, corners, rows in zip(masks, boxes, objects, strict=True):
        rois = torch.cat([rows[:, None].to(corners.dtype), corners], dim=1)
        crops.append(roi_align(of_image[:, None].to(corners.dtype), rois, side, aligned=True))
    return torch.cat(crops)[:, 0]


def _crop_by_products(
    masks: Sequence[Tensor], boxes: Sequence[Tensor], objects: Sequence[Tensor], side: int
) -> Tensor:
    """The same: means of rows, and then of columns, are products of matrices.

    For CPUs. Only what is in the boxes is looked at, and no sample is taken one by one.
    """
    chosen = [
        of_image[row]
        for of_image, rows in zip(masks, objects, strict=True)
        for row in rows.tolist()
    ]
    corners = torch.cat(list(boxes)).double().numpy().reshape(-1, 2, 2)  # of each, then x and y
    widths_heights = np.array([mask.shape[::-1] for mask in chosen], dtype=np.int64).reshape(-1, 2)
    low, high = corners.transpose(1, 0, 2).reshape(2, -1)  # left and top, box after box
    firsts, weights = _means(low, high, widths_heights.ravel(), side)
    crops = torch.empty(len(chosen), side, side, dtype=torch.float32)
    for crop, mask, (left, top), (columns, rows) in zip(
        crops,
        chosen,
        zip(firsts[::2], firsts[1::2], strict=True),
        zip(weights[::2], weights[1::2], strict=True),
        strict=True,
    ):
        seen = mask[top : top + len(rows), left : left + len(columns)].to(columns.dtype)
        torch.mm(rows.T @ seen, columns, out=crop)
    return crops


def _means(
    low: NDArray[np.float64], high: NDArray[np.float64], lengths: NDArray[np.int64], side: int
) -> tuple[list[int], tuple[Tensor, ...]]:
    """For N spans: the first pixel of each, and the shares of pixels in the means of its bins.

    Args:
        low, high: (N,), in pixels.
        lengths: (N,), of the axes that they lie on.
        side: M, bins.

    Returns:
        N indices, and N of (pixels, M) float32.
    """
    high, last = np.maximum(high, low), lengths - 1
    first = np.floor((low - 0.5).clip(0, last)).astype(np.int64)
    pixels = np.floor((high - 0.5).clip(0, last)).astype(np.int64) + 2 - first
    starts = np.cumsum(pixels) - pixels

    # All samples of all spans, one after the other; none of a span without extent.
    of_bin = np.ceil((high - low) / side).astype(np.int64)
    counts = of_bin * side
    span = np.repeat(np.arange(len(low)), counts)
    number = np.arange(len(span)) - np.repeat(np.cumsum(counts) - counts, counts)
    position = (low - 0.5)[span] + (number + 0.5) * ((high - low) / counts.clip(1))[span]
    position = position.clip(0, last[span])
    lower = np.floor(position)
    upper_share = position - lower

    # Each lies between two pixels. Where it is on the last, the next has no share and is cut off.
    place = ((starts - first)[span] + lower.astype(np.int64)) * side + number // of_bin[span]
    shares = np.concatenate([1 - upper_share, upper_share]) / np.tile(of_bin[span], 2)
    size = int(pixels.sum()) * side
    table = np.bincount(np.concatenate([place, place + side]), shares, minlength=size)
    parts = torch.from_numpy(table.astype(np.float32)).view(-1, side).split(pixels.tolist())
    kept = np.minimum(pixels, lengths - first).tolist()
    return first.tolist(), tuple(part[:count] for part, count in zip(parts, kept, strict=True))
