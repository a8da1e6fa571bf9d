"""An object's veil and contour, blended into a picture.

numpy alone, because its loops over pixels let other threads go on, as the network's do.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qivis.viz.rect import Rect

VEIL = 0.38  # opacity of the colour over the object
RIM = 0.35  # opacity of the dark line around the contour, which shows it on a light ground
LINES = 360  # as thick as the contour, that the picture would hold side by side
THINNEST = 1.5  # pixels
BLUR = 0.8  # standard deviation, in thicknesses of the contour
LEAST_BLUR = 1.2  # pixels
WIDEST_BOX = 15  # to the fourth power it is still within 16 bits
OPAQUE = 256  # opacities are whole parts of it

Pixels = NDArray[np.uint8]
Levels = NDArray[np.uint16]
Counts = NDArray[np.unsignedinteger]


def paint_object(
    picture: Pixels, mask: NDArray[np.bool_], extent: Rect, rgb: tuple[int, int, int]
) -> None:
    """Draw one object, in place.

    Args:
        picture: (H, W, 3) RGB.
        mask: (H, W).
        extent: around all its pixels.
        rgb: 0 .. 255 each.
    """
    thickness = max(THINNEST, len(mask) / LINES)
    box = _box(thickness)
    window = extent.grown(box, mask.shape).window
    # The blur takes the steps of the pixel grid out of the edge.
    soft = _blurred(mask[window], box)
    kept, added = (opacity.take(soft) for opacity in _opacities(thickness, box))
    part = picture[window]
    for channel, value in enumerate(rgb):
        blend = np.multiply(part[..., channel], kept, dtype=np.uint16)
        blend += added * np.uint16(value)
        blend += np.uint16(OPAQUE // 2)
        blend //= np.uint16(OPAQUE)
        part[..., channel] = blend


def _box(thickness: float) -> int:
    """Width of a box, odd: twice as a filter, its standard deviation is that of the blur."""
    sigma = max(LEAST_BLUR, BLUR * thickness)
    width = math.sqrt(6 * sigma**2 + 1)  # two boxes have a variance of (width^2 - 1) / 6
    return min(2 * round((width - 1) / 2) + 1, WIDEST_BOX)


def _blurred(mask: NDArray[np.bool_], box: int) -> Counts:
    """The mask through a tent filter, which is a box filter twice, in 0 .. box^4."""
    small = np.uint8 if box**4 < 256 else np.uint16
    soft: Counts = np.pad(mask.astype(small), box - 1, mode="edge")
    for _ in range(2):
        for axis in (0, 1):
            soft = _sums(soft, box, axis)
    return soft


def _sums(values: Counts, width: int, axis: int) -> Counts:
    """Of each `width` neighbours along an axis, which gets shorter by all but one of them."""
    along = np.moveaxis(values, axis, 0)
    length = len(along) - width + 1
    total = along[:length] + along[1 : 1 + length]
    for start in range(2, width):
        total += along[start : start + length]
    return np.moveaxis(total, 0, axis)


@lru_cache
def _opacities(thickness: float, box: int) -> tuple[Levels, Levels]:
    """What is kept of the picture and what is added of the colour, for each level of the blur."""
    inside = _distances(box)
    rim = RIM * np.clip(thickness / 2 + 1.5 - np.abs(inside), 0, 1) * (inside < 0)
    veil = VEIL * np.clip(inside + 0.5, 0, 1)
    line = np.clip(thickness / 2 + 0.5 - np.abs(inside), 0, 1)
    added = 1 - (1 - veil) * (1 - line)
    kept = (1 - rim) * (1 - added)
    as_parts = (np.rint(OPAQUE * opacity).astype(np.uint16) for opacity in (kept, added))
    return next(as_parts), next(as_parts)


def _distances(box: int) -> NDArray[np.float64]:
    """Pixels to a straight edge for each level of the blur, (box^4 + 1,), negative outside."""
    ones = np.ones(box)
    tent = np.convolve(ones, ones)
    levels = np.concatenate([[0], np.cumsum(tent) * box**2])
    pixels = np.arange(len(levels)) + 0.5 - box  # the centres of those along a line over the edge
    distances: NDArray[np.float64] = np.interp(np.arange(box**4 + 1), levels, pixels)
    return distances
