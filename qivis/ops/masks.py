"""Masks from the network's small grid to the picture; the way back: `mask_targets`."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qivis.ops.crops import Crop

# Multiplications of a product from which on OpenBLAS shares it out among threads of its own. Where
# other threads are at work these wait for one another many times as long as the product takes.
ONE_THREAD = 260_000

MOST_VALUES = 2**26  # of float32 that are on a device at once, of masks before they are cut


def paste_masks(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Put mask grids where their boxes are, and cut at probability 0.5.

    Args:
        probabilities: (N, M, M) in [0, 1].
        boxes: (N, 4), x1 y1 x2 y2 in pixels of `size`.
        size: (H, W) of the picture.

    Returns:
        (N, H, W) bool, on the same device.
    """
    if boxes.device.type == "cuda":  # which has the time for whole pictures, not for the way back
        return paste_whole(probabilities, boxes, size)
    pasted = torch.zeros((len(boxes), *size), dtype=torch.bool, device=boxes.device)
    for mask, crop in zip(pasted, paste_crops(probabilities, boxes, size), strict=True):
        height, width = crop.pixels.shape
        within = mask[crop.top : crop.top + height, crop.left : crop.left + width]
        within.copy_(torch.from_numpy(crop.pixels))
    return pasted


def paste_crops(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> list[Crop]:
    """The same as `paste_masks`, but only the pixels inside the boxes.

    Bilinear between grid cells, pixel centres at +0.5 (mmdetection FCNMaskHead._do_paste_mask).
    A pixel outside the box can only reach half of the border cell's probability, so only the
    pixels inside are computed.

    Args:
        probabilities: (N, M, M) in [0, 1].
        boxes: (N, 4), x1 y1 x2 y2 in pixels of `size`.
        size: (H, W) of the picture.

    Returns:
        N crops.
    """
    # NumPy: several times as fast as PyTorch with matrices of this size and comparisons of floats.
    grids = probabilities.detach().float().cpu().numpy()
    corners = boxes.detach().double().cpu().numpy()
    lefts, across = _interpolation(corners[:, 0], corners[:, 2], size[1], grids.shape[2])
    tops, down = _interpolation(corners[:, 1], corners[:, 3], size[0], grids.shape[1])
    return [
        Crop(top, left, _product(_product(rows, grid.T), columns) >= 0.5)
        for top, left, grid, rows, columns in zip(tops, lefts, grids, down, across, strict=True)
    ]


def paste_whole(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The same as `paste_masks` by products of whole pictures, without leaving the device."""
    grids, corners = probabilities.float(), boxes.double()
    down = _tents(corners[:, 1], corners[:, 3], size[0], grids.shape[1])
    across = _tents(corners[:, 0], corners[:, 2], size[1], grids.shape[2])
    pasted = torch.empty((len(boxes), *size), dtype=torch.bool, device=boxes.device)
    together = max(1, MOST_VALUES // (size[0] * size[1]))
    for start in range(0, len(boxes), together):
        part = slice(start, start + together)
        torch.ge(down[part] @ grids[part] @ across[part].mT, 0.5, out=pasted[part])
    return pasted


def _interpolation(
    low: NDArray[np.float64], high: NDArray[np.float64], length: int, cells: int
) -> tuple[list[int], list[NDArray[np.float32]]]:
    """Along one axis, for N boxes: of the pixels inside [low, high], the first, and the weights.

    Returns:
        N indices, and N of (pixels, M), the weights of the grid's cells.
    """
    first = np.ceil(low - 0.5).clip(0, length)
    last = (np.floor(high - 0.5) + 1).clip(first, length)
    counts = (last - first).astype(np.int64)
    stops = np.cumsum(counts)
    # The pixels of all boxes, one box after the other.
    pixels = np.arange(counts.sum()) + np.repeat(first - stops + counts, counts) + 0.5
    scale = cells / np.maximum(high - low, 1e-6)
    position = (pixels - np.repeat(low, counts)) * np.repeat(scale, counts) - 0.5
    cell = np.floor(position)
    share = (position - cell).astype(np.float32)
    # Each pixel lies between two cells; those beyond the rim of the grid count as 0.
    weights = np.zeros((len(pixels), cells + 2), dtype=np.float32)
    place = np.arange(len(pixels)) * (cells + 2) + cell.astype(np.int64) + 1
    weights.ravel()[place], weights.ravel()[place + 1] = 1 - share, share
    return first.astype(np.int64).tolist(), np.split(weights[:, 1:-1], stops)[:-1]


def _tents(low: Tensor, high: Tensor, length: int, cells: int) -> Tensor:
    """As `_interpolation`, for all pixels: (N, length, M) weights, below 0.5 outside boxes."""
    pixels = torch.arange(length, device=low.device) + 0.5
    scale = cells / (high - low).clamp(min=1e-6)
    position = (pixels - low[:, None]) * scale[:, None] - 0.5
    distance = (position[..., None] - torch.arange(cells, device=low.device)).abs()
    return (1 - distance).clamp(min=0).float()


def _product(rows: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """(R, C), `rows` (R, M) times `columns` (C, M) transposed, by this thread alone."""
    block = min(max(ONE_THREAD // max(columns.size, 1), 1), max(len(rows), 1))
    blocks = -(-len(rows) // block)
    padded = np.zeros((blocks * block, rows.shape[1]), dtype=np.float32)
    padded[: len(rows)] = rows
    # OpenBLAS may report an invalid value that is in no result (numpy/numpy, issue 24067).
    with np.errstate(invalid="ignore"):
        products: NDArray[np.float32] = padded.reshape(blocks, block, rows.shape[1]) @ columns.T
    return products.reshape(blocks * block, len(columns))[: len(rows)]
