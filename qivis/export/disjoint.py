"""Masks that share no pixel, for formats in which a pixel has one owner."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from qivis.ops import rle
from qivis.structures import Rle, View


def owners(views: Sequence[View], size: tuple[int, int]) -> NDArray[np.int64]:
    """Whom each pixel of a frame belongs to.

    A pixel that several objects claim goes to the best score, to the first among equals.

    Args:
        views: N objects of one frame.
        size: (H, W) of the frame.

    Returns:
        (H, W), positions in `views`; -1 where there is no object.
    """
    owner = np.full(size, -1, dtype=np.int64)
    from_worst = sorted(range(len(views)), key=lambda row: (views[row].score, -row))
    for row in from_worst:
        owner[rle.decode([views[row].mask], size)[0].numpy()] = row
    return owner


def disjoint_masks(views: Sequence[View], size: tuple[int, int]) -> list[Rle]:
    """The masks of a frame without what others own, in step with `views`; some may be empty."""
    masks = [view.mask for view in views]
    if np.count_nonzero(rle.overlaps(masks, masks)) == len(masks):  # each overlaps itself alone
        return masks
    owner = torch.from_numpy(owners(views, size))
    return [rle.encode((owner == row)[None])[0] for row in range(len(views))]
