"""How alike detections and tracks are, and who gets whom: pure functions of tensors.

N detections stand in rows, best score first; M tracks stand in columns.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def unit_length(embeddings: Tensor) -> Tensor:
    """(..., E) scaled to Euclidean length 1; zeros stay zeros."""
    scaled: Tensor = F.normalize(embeddings, dim=-1)
    return scaled


def bi_softmax(similarity: Tensor, temperature: float) -> Tensor:
    """How much each pair stands out, both among the rivals in its row and in its column.

    The mean of the softmax over tracks and the softmax over detections (IDOL and CTVIS, inference).
    A lone pair always gets 1, however unlike: multiply by a similarity before asking if it matches.

    Args:
        similarity: (N, M).
        temperature: a similarity lower by this much counts 1 / e.

    Returns:
        (N, M) in [0, 1].
    """
    scaled = similarity / temperature
    return (scaled.softmax(dim=1) + scaled.softmax(dim=0)) / 2


def box_iou(detections: Tensor, tracks: Tensor) -> Tensor:
    """IoU of boxes; 0 for two boxes without area.

    Args:
        detections: (N, 4), x1 y1 x2 y2.
        tracks: (M, 4), likewise.

    Returns:
        (N, M) in [0, 1].
    """
    shared = shared_areas(detections, tracks)
    covered = box_areas(detections)[:, None] + box_areas(tracks) - shared
    return (shared / covered).nan_to_num()  # two boxes without area: 0 / 0


def shared_areas(detections: Tensor, tracks: Tensor) -> Tensor:
    """(N, M), what boxes (N, 4) and (M, 4) share, in square pixels.

    For so few boxes faster than torchvision, whose checks take longer than the maths.
    """
    x1, y1, x2, y2 = detections.T.contiguous()[:, :, None]  # each (N, 1)
    left, top, right, bottom = tracks.T.contiguous()  # each (M,)
    width = (torch.minimum(x2, right) - torch.maximum(x1, left)).clamp(min=0)
    height = (torch.minimum(y2, bottom) - torch.maximum(y1, top)).clamp(min=0)
    return width * height


def box_areas(boxes: Tensor) -> Tensor:
    """(N,) square pixels of boxes (N, 4)."""
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return (x2 - x1) * (y2 - y1)


def grown(boxes: Tensor, margin: float) -> Tensor:
    """Boxes that reach further on every side, so that small fast objects still overlap.

    Args:
        boxes: (N, 4), x1 y1 x2 y2.
        margin: growth on each side, as a share of the box's own width and height (C-BIoU,
            arXiv 2211.14317).

    Returns:
        (N, 4), x1 y1 x2 y2.
    """
    top_left, bottom_right = boxes.split(2, dim=-1)
    border = (bottom_right - top_left) * margin
    return torch.cat([top_left - border, bottom_right + border], dim=-1)


def match_greedily(similarity: Tensor, threshold: float) -> Tensor:
    """Give each detection, best score first, the most similar track that is still free.

    Args:
        similarity: (N, M).
        threshold: no pair below it.

    Returns:
        (N,) int64, the column of each detection; -1 for none.
    """
    pairs = similarity.numpy()
    taken = np.zeros(pairs.shape[1], dtype=bool)
    columns = [-1] * len(pairs)
    favourites = pairs.argmax(axis=1).tolist() if pairs.size else []
    for row, column in enumerate(favourites):
        if taken[column]:  # seldom: to look for the best one of a row takes longer than all else
            column = int(np.where(taken, -1.0, pairs[row]).argmax())
        if pairs[row, column] >= threshold and not taken[column]:
            columns[row] = column
            taken[column] = True
    return torch.tensor(columns, dtype=torch.int64)


def match_together(similarity: Tensor, threshold: float) -> Tensor:
    """Give detections the tracks with which all pairs together are most alike (Hungarian).

    Args:
        similarity: (N, M).
        threshold: no pair below it, and none gives way to one.

    Returns:
        (N,) int64, the column of each detection; -1 for none.
    """
    is_possible = (similarity >= threshold).numpy()
    rows, columns = linear_sum_assignment(similarity.numpy() * is_possible, maximize=True)
    matched = np.full(len(similarity), -1)
    matched[rows] = np.where(is_possible[rows, columns], columns, -1)
    return torch.from_numpy(matched)
