"""Masks between the network's small grid and the picture."""

import torch
from torch import Tensor
from torchvision.ops import roi_align


def paste_masks(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Put mask grids where their boxes are, and cut at probability 0.5.

    Bilinear between grid cells, pixel centres at +0.5 (mmdetection FCNMaskHead._do_paste_mask).
    A pixel outside the box can only reach half of the border cell's probability, so only the
    pixels inside are computed.

    Args:
        probabilities: (N, M, M) in [0, 1].
        boxes: (N, 4), x1 y1 x2 y2 in pixels of `size`.
        size: (H, W) of the picture.

    Returns:
        (N, H, W) bool.
    """
    height, width = size
    pasted = torch.zeros((len(boxes), height, width), dtype=torch.bool, device=boxes.device)
    corners = boxes.detach().cpu().tolist()
    grids = probabilities.float()
    for mask, grid, (x1, y1, x2, y2) in zip(pasted, grids, corners, strict=True):
        rows, row_weights = _interpolation(y1, y2, height, grid)
        columns, column_weights = _interpolation(x1, x2, width, grid)
        mask[rows, columns] = row_weights @ grid @ column_weights.T >= 0.5
    return pasted


def crop_masks(masks: Tensor, boxes: Tensor, objects: Tensor, side: int) -> Tensor:
    """Annotated masks on the grids of predicted boxes: the targets of the mask branch.

    Args:
        masks: (N, H, W) bool, the objects of one image.
        boxes: (P, 4), x1 y1 x2 y2 in pixels, within the image.
        objects: (P,) int64, the row of `masks` that each box is to cut out.
        side: M of the grid.

    Returns:
        (P, M, M) float32, 0 or 1.
    """
    rois = torch.cat([objects[:, None].to(boxes.dtype), boxes], dim=1)
    crops: Tensor = roi_align(masks[:, None].to(boxes.dtype), rois, side, aligned=True)
    return (crops[:, 0] >= 0.5).to(boxes.dtype)


def _interpolation(low: float, high: float, length: int, grid: Tensor) -> tuple[slice, Tensor]:
    """Along one axis: the pixels inside [low, high] and their weights (pixels, M) on grid cells."""
    cells = grid.shape[0]
    first = min(max(0, int(-(-(low - 0.5) // 1))), length)
    last = min(max(first, int((high - 0.5) // 1) + 1), length)
    pixels = torch.arange(first, last, device=grid.device, dtype=torch.float32) + 0.5
    position = (pixels - low) / max(high - low, 1e-6) * cells - 0.5
    distance = (position[:, None] - torch.arange(cells, device=grid.device)).abs()
    return slice(first, last), (1 - distance).clamp(min=0)
