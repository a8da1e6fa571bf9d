"""A tiny Cityscapes: three pictures of rectangles, whose instances are known to the pixel."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (64, 96)
# By picture and value, as rows and columns: 1000 x class + number of an object, or a class alone.
STREETS = {
    "aachen_000000_000019": {
        7: (slice(40, 64), slice(96)),  # road
        24: (slice(2, 12), slice(60, 90)),  # a group of persons
        24000: (slice(15, 45), slice(60, 70)),
        26000: (slice(20, 40), slice(5, 45)),
        26001: (slice(45, 57), slice(75, 90)),
        29000: (slice(2, 14), slice(2, 22)),  # a caravan, which is not evaluated
    },
    "aachen_000001_000019": {
        25000: (slice(5, 25), slice(10, 30)),
        26000: (slice(30, 50), slice(40, 80)),
        33000: (slice(26, 46), slice(10, 30)),
    },
    "bonn_000000_000019": {26: (slice(20, 50), slice(10, 60))},  # a group of cars and nothing else
}
_COLORS = {24: (220, 20, 60), 25: (250, 120, 0), 26: (0, 0, 220), 33: (119, 11, 32)}


def make_streets(root: Path, *parts: str) -> Path:
    """Write leftImg8bit and gtFine with the same pictures in each part (train, val); gives root."""
    for part in parts:
        for name in STREETS:
            city = name.split("_")[0]
            values = values_of(name)
            pictures, annotations = root / "leftImg8bit" / part, root / "gtFine" / part
            _save(pictures / city / f"{name}_leftImg8bit.png", _picture(values))
            _save(annotations / city / f"{name}_gtFine_instanceIds.png", values)
    return root


def values_of(name: str) -> NDArray[np.uint16]:
    """(H, W): what an annotation says of a picture."""
    values = np.full(SIZE, 11, dtype=np.uint16)  # a building
    for value, place in STREETS[name].items():
        values[place] = value
    return values


def mask_of(name: str, value: int) -> NDArray[np.bool_]:
    """(H, W): where a picture has a value."""
    return values_of(name) == value


def _picture(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    pixels = np.full((*SIZE, 3), 90, dtype=np.uint8)
    for number, color in _COLORS.items():
        pixels[(values == number) | (values // 1000 == number)] = color
    return pixels


def _save(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
