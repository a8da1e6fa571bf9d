"""Reading pictures from files: the one door to mmcv.

mmcv (OpenCV inside) decodes JPEGs exactly as the published models saw them.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qivis.errors import DataError

# Larger pictures are refused: a file of some kilobytes can unpack to as much as it likes.
MOST_PIXELS = 2**28


def read_image(path: Path) -> Tensor:
    """A picture as RGB, turned upright as its EXIF orientation says.

    Grey and CMYK pictures become RGB, an alpha channel is dropped.

    Returns:
        (3, H, W) uint8.

    Raises:
        DataError: if the file is missing or is no picture.
    """
    return _decode(path, "color")


def read_image_of_size(path: Path, size: tuple[int, int]) -> Tensor:
    """A picture that annotations say is of (H, W) `size`.

    Annotations may have been drawn on the upright picture or on the one that is stored; the
    size tells which.

    Returns:
        (3, H, W) uint8.

    Raises:
        DataError: if neither way gives this size.
    """
    upright = _decode(path, "color")
    if tuple(upright.shape[1:]) == tuple(size):
        return upright
    stored = _decode(path, "color_ignore_orientation")
    if tuple(stored.shape[1:]) == tuple(size):
        return stored
    height, width = upright.shape[1:]
    raise DataError(
        f"{path}: the picture is {width} x {height} pixels, its annotations say "
        f"{size[1]} x {size[0]}; use the pictures that were annotated"
    )


def read_values(path: Path) -> NDArray[np.uint16]:
    """A picture whose pixels are numbers, not colours.

    Returns:
        (H, W) uint16.

    Raises:
        DataError: if the file is missing, or is no picture of one channel of 16 bits.
    """
    values = _open(path, "unchanged")
    if values.ndim != 2 or values.dtype != np.uint16:
        raise DataError(f"{path}: expected one channel of 16 bits, got {_channels(values)}")
    return values


def _decode(path: Path, flag: str) -> Tensor:
    # mmcv turns the channels around for one of the two flags only, so it is done here.
    pixels = _open(path, flag)
    return torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1].transpose(2, 0, 1)))


def _channels(values: NDArray[Any]) -> str:
    channels = 1 if values.ndim == 2 else values.shape[2]
    return f"{channels} of {8 * values.dtype.itemsize} bits"


def _open(path: Path, flag: str) -> NDArray[Any]:
    """(H, W) or (H, W, C), blue first."""
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))  # read at its import
    try:
        import cv2
        import mmcv
    except ImportError as error:  # OpenCV needs a system library that slim images lack
        raise DataError(
            f"{path}: pictures are read by OpenCV, which cannot be imported here ({error}); "
            "install the system library it names (Debian: libgl1)"
        ) from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # a name that no file can have
        raise DataError(f"{str(path)!r}: cannot be read ({error})") from error
    try:
        pixels: NDArray[Any] | None = (
            mmcv.imfrombytes(content, flag=flag, channel_order="bgr") if content else None
        )
    except cv2.error as error:
        raise DataError(
            f"{path}: cannot be decoded ({error.err}); pictures may have up to {MOST_PIXELS} "
            "pixels, or as many as the environment's OPENCV_IO_MAX_IMAGE_PIXELS says"
        ) from error
    if pixels is None:
        raise DataError(f"{path}: not a readable picture; expected JPEG, PNG, WebP or BMP")
    return pixels
