"""Masks as the parts of the picture that hold them, and the run lengths of such parts.

A picture is large and its objects are small: what is done to a mask costs as much as its object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

WORD = 8  # bytes that are looked at together


@dataclass(frozen=True)
class Crop:
    """A part of a mask; nothing is set elsewhere.

    top, left: where the part begins, in pixels of the picture; it lies inside of that.
    pixels: (h, w) bool.
    """

    top: int
    left: int
    pixels: NDArray[np.bool_]


@dataclass(frozen=True)
class Runs:
    """Run lengths of N masks, one mask after the other: background, object, background ...

    lengths: (R,) in pixels, down the columns of the picture.
    counts: (N,) how many of the runs are of each mask; at least 1.
    """

    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]


def find_crops(masks: Tensor) -> list[Crop]:
    """The columns of each mask that hold its object, and of these the rows.

    Args:
        masks: (N, H, W) bool.

    Returns:
        N crops, views of `masks` where these are on the CPU.
    """
    pixels = masks.detach().cpu().numpy()
    columns = np.bitwise_or.reduce(pixels, axis=1)  # (N, W)
    crops = []
    for mask, occupied in zip(pixels, columns, strict=True):
        across = _span(occupied)
        down = _span(mask[:, across].any(axis=1))
        crops.append(Crop(down.start, across.start, mask[down, across]))
    return crops


def runs_of(crops: Sequence[Crop], size: tuple[int, int]) -> Runs:
    """Run lengths of masks, without a look at what is not in their crops.

    Args:
        crops: N.
        size: (H, W) of the picture.
    """
    area = size[0] * size[1]
    begins = np.arange(len(crops)) * (area + 1)  # one pixel more, so that masks do not touch
    changes = np.sort(_changes(crops, size[0], begins))
    # Where an object goes on from the foot of a column to the head of the next, nothing changes.
    twice = changes[1:] == changes[:-1]
    is_change = changes % (area + 1) != area
    is_change[1:] &= ~twice
    is_change[:-1] &= ~twice
    lasts = begins + area
    ends = np.sort(np.concatenate([changes[is_change], lasts]))
    stops = np.searchsorted(ends, lasts) + 1
    counts = np.diff(stops, prepend=0)
    lengths = np.diff(ends, prepend=-1)
    lengths[stops - counts] -= 1  # the pixel between masks
    return Runs(lengths, counts)


def _changes(crops: Sequence[Crop], height: int, begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where pixels differ from those before them, in any order; outside of crops all are unset.

    A change at the foot of a column is that at the head of the next one, and may be there twice.

    Args:
        crops: N.
        height: of the picture.
        begins: (N,), the first pixel of each mask in the numbers that are returned.
    """
    heights, widths = np.array([crop.pixels.shape for crop in crops], np.int64).reshape(-1, 2).T
    stops = np.cumsum((heights + 1) * widths)
    starts = stops - (heights + 1) * widths
    differs = np.zeros(-(-stops[-1:].sum() // WORD) * WORD, dtype=np.uint8)
    for crop, start, stop in zip(crops, starts, stops, strict=True):
        pixels = crop.pixels.view(np.uint8)
        below = differs[start:stop].reshape(len(pixels) + 1, -1)
        below[:-1] = pixels
        below[1:] ^= pixels
    index = _where_set(differs)
    number = np.diff(np.searchsorted(index, starts), append=len(index))
    offsets = index - np.repeat(starts, number)
    rows, columns = np.divmod(offsets, np.repeat(widths, number))
    corners = np.array([crop.left * height + crop.top for crop in crops], dtype=np.int64)
    changes: NDArray[np.int64] = np.repeat(begins + corners, number) + columns * height + rows
    return changes


def _where_set(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Indices of the bytes that are 1, of which there should be few; for whole words of bytes."""
    words = np.flatnonzero(values.view(np.uint64) != 0)
    found = np.flatnonzero(values.reshape(-1, WORD)[words].view(np.bool_))
    index: NDArray[np.int64] = words[found // WORD] * WORD + found % WORD
    return index


def _span(occupied: NDArray[np.bool_]) -> slice:
    """From the first that is set to the last one."""
    where = np.flatnonzero(occupied)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0)
