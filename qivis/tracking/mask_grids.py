"""Masks in brief: which cells of its box each one covers. A tracker remembers no more of a mask.

That takes the same few bytes for an object of any size in a frame of any size, and is as fine as
the object is small; a smaller copy of the frame would lose small objects.

The maths is numpy's: on arrays as small as these its operations take a third of torch's time.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qivis.tracking.affinity import box_areas, shared_areas


def draw_grids(masks: Tensor, rows: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Look at masks in the middles of the cells of their boxes.

    Args:
        masks: (D, H, W) bool.
        rows: (N,) int64, which of them; choosing them before would copy them whole.
        boxes: (N, 4), x1 y1 x2 y2 in pixels, around the chosen; not clipped to the frame.
        side: S, the number of cells along each side of a box.

    Returns:
        (N, S, S) bool; False outside of the frame.
    """
    height, width = masks.shape[1:]
    x, y = (np.floor(middles).astype(np.int64) for middles in _middles(boxes.numpy(), side))
    x_inside, y_inside = (x >= 0) & (x < width), (y >= 0) & (y < height)
    x, y = x.clip(0, width - 1), y.clip(0, height - 1)
    lines = (rows.numpy()[:, None] * height + y) * width  # (N, S), where a line begins
    drawn = masks.numpy().reshape(-1)[lines[:, :, None] + x[:, None, :]]
    return torch.from_numpy(drawn & y_inside[:, :, None] & x_inside[:, None, :])


def grid_iou(
    grids: Tensor, boxes: Tensor, others: Tensor, other_boxes: Tensor, least: float
) -> Tensor:
    """IoU of masks of which only grids are known.

    What two masks share is measured in the cells of the first: of those that it covers, how many
    have their middles in a covered cell of the second.

    Args:
        grids: (N, S, S) bool.
        boxes: (N, 4), what they divide into cells, x1 y1 x2 y2 in pixels.
        others: (M, S, S) bool.
        other_boxes: (M, 4), likewise.
        least: pairs that cannot reach it, as their boxes or their areas show, are left at 0.

    Returns:
        (N, M) in [0, 1].
    """
    side, covered, other_covered = grids.shape[1], grids.numpy(), others.numpy()
    cells = box_areas(boxes).numpy() / side**2
    areas = _count(covered) * cells
    other_areas = _count(other_covered) * (box_areas(other_boxes).numpy() / others.shape[1] ** 2)
    # Masks share no more than their boxes do, and no more than the smaller one has.
    limits = shared_areas(boxes, other_boxes).numpy()
    limits = np.minimum(np.minimum(limits, areas[:, None]), other_areas)
    possible = limits >= least * (areas[:, None] + other_areas - limits)
    # P pairs; numpy's own way to indices of two dimensions takes four times as long.
    first, second = np.divmod(np.flatnonzero(possible & (limits > 0)), max(len(others), 1))
    x, y = _middles(boxes.numpy(), side)
    met = _look_up(other_covered, other_boxes.numpy(), second, x[first], y[first])
    # Seen through large cells, masks can seem to share more than that.
    shared = np.minimum(_count(covered[first] & met) * cells[first], limits[first, second])
    iou = np.zeros_like(limits)
    iou[first, second] = shared / (areas[first] + other_areas[second] - shared)
    return torch.from_numpy(iou)


def _count(grids: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(N,), how many cells are covered of each grid (N, S, S)."""
    numbers: NDArray[np.float32] = grids.sum(axis=(1, 2), dtype=np.float32)
    return numbers


def _middles(
    boxes: NDArray[np.float32], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """X and y, each (N, S) in pixels, of the middles of the cells of boxes."""
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    x1, y1, x2, y2 = boxes.T[:, :, None]  # each (N, 1)
    return x1 + steps * (x2 - x1), y1 + steps * (y2 - y1)


def _look_up(
    grids: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    rows: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """What grids say of points: (P, S, S), False outside of their boxes.

    Args:
        grids: (M, S, S).
        boxes: (M, 4), what they divide into cells; not without area.
        rows: (P,), which grid to ask.
        x, y: (P, S) in pixels, columns and lines of the points.
    """
    side = grids.shape[1]
    x1, y1, x2, y2 = boxes[rows].T[:, :, None]  # each (P, 1)
    # A border of empty cells, at 0 and at S + 1, answers for all that is outside.
    bordered = np.zeros((len(grids), side + 2, side + 2), dtype=np.bool_)
    bordered[:, 1:-1, 1:-1] = grids
    columns = ((x - x1) / (x2 - x1) * side + 1).clip(0, side + 1).astype(np.int64)
    lines = ((y - y1) / (y2 - y1) * side + 1).clip(0, side + 1).astype(np.int64)
    lines = (rows[:, None] * (side + 2) + lines) * (side + 2)  # (P, S), where a line begins
    found: NDArray[np.bool_] = bordered.reshape(-1)[lines[:, :, None] + columns[:, None, :]]
    return found
