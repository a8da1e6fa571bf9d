"""PNG files of exact values: masks, indices into a palette, and colours with transparency.

A door to Pillow of its own: what is drawn for people (`viz`) and what is stored for programs have
nothing else in common.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUICK = (
    1  # photographs shrink hardly more with zlib's default of 6, which takes three times as long
)


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write a picture of one bit from (H, W) bool."""
    Image.fromarray(mask).save(path, format="PNG")


def write_indexed(path: Path, indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
    """Write an indexed picture.

    Args:
        path: of the PNG.
        indices: (H, W), rows of the palette.
        palette: (256, 3) sRGB.
    """
    picture = Image.fromarray(indices)
    picture.putpalette(palette.tobytes())
    picture.save(path, format="PNG")


def write_rgba(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture of (H, W, 4) sRGB and opacity."""
    Image.fromarray(pixels).save(path, format="PNG", compress_level=QUICK)
