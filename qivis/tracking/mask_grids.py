"""Masks in brief: which cells of its box each one covers. A tracker remembers no more of a mask.

That takes the same few bytes for an object of any size in a frame of any size, and is as fine as
the object is small; a smaller copy of the frame would lose small objects.
"""

import numpy as np
import torch
import torch.nn.functional as F
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
    x, y = (np.floor(middles.numpy()).astype(np.int64) for middles in _middles(boxes, side))
    x_inside, y_inside = (x >= 0) & (x < width), (y >= 0) & (y < height)
    x, y = x.clip(0, width - 1), y.clip(0, height - 1)
    lines = (rows.numpy()[:, None] * height + y) * width  # (N, S), where a line begins
    drawn = _take(masks, lines[:, :, None] + x[:, None, :])
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
    cells = box_areas(boxes) / grids.shape[1] ** 2
    areas = grids.flatten(1).sum(dim=1) * cells
    other_areas = others.flatten(1).sum(dim=1) * box_areas(other_boxes) / others.shape[1] ** 2
    # Masks share no more than their boxes do, and no more than the smaller one has.
    limits = shared_areas(boxes, other_boxes).minimum(areas[:, None]).minimum(other_areas)
    possible = limits >= least * (areas[:, None] + other_areas - limits)
    first, second = (possible & (limits > 0)).nonzero().unbind(dim=1)  # P pairs
    x, y = _middles(boxes, grids.shape[1])
    met = _look_up(others, other_boxes, second, x[first], y[first])
    counts = (grids[first] & met).flatten(1).sum(dim=1)
    # Seen through large cells, masks can seem to share more than that.
    shared = (counts * cells[first]).minimum(limits[first, second])
    iou = boxes.new_zeros(len(boxes), len(other_boxes))
    iou[first, second] = shared / (areas[first] + other_areas[second] - shared)
    return iou


def _middles(boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """X and y, each (N, S) in pixels, of the middles of the cells of boxes."""
    steps = (torch.arange(side) + 0.5) / side
    x1, y1, x2, y2 = boxes.T.contiguous()[:, :, None]  # each (N, 1)
    return x1 + steps * (x2 - x1), y1 + steps * (y2 - y1)


def _look_up(grids: Tensor, boxes: Tensor, rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """What grids say of points: (P, S, S) bool, False outside of their boxes.

    Args:
        grids: (M, S, S) bool.
        boxes: (M, 4), what they divide into cells; not without area.
        rows: (P,) int64, which grid to ask.
        x, y: (P, S) in pixels, columns and lines of the points.
    """
    side = grids.shape[1]
    x1, y1, x2, y2 = boxes[rows].T.contiguous()[:, :, None]  # each (P, 1)
    # A border of empty cells, at 0 and at S + 1, answers for all that is outside.
    columns = ((x - x1) / (x2 - x1) * side + 1).clamp(0, side + 1).long()
    lines = ((y - y1) / (y2 - y1) * side + 1).clamp(0, side + 1).long()
    lines = (rows[:, None] * (side + 2) + lines) * (side + 2)  # (P, S), where a line begins
    positions = (lines[:, :, None] + columns[:, None, :]).numpy()
    return torch.from_numpy(_take(F.pad(grids, (1, 1, 1, 1)), positions))


def _take(values: Tensor, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Values by their positions in memory; numpy has them in a third of torch's time."""
    return values.numpy().reshape(-1)[positions]
