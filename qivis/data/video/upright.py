"""From a decoded picture to an image as a person would look at it."""

import struct

import av
import numpy as np
import torch
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from qivis.data.video.source import DecoderStoppedError

Pixels = NDArray[np.uint8]
Turn = tuple[int, int, int, int]  # signs of a, b, c, d: x' = a x + c y, y' = b x + d y
UPRIGHT: Turn = (1, 0, 0, 1)


def upright_image(picture: VideoFrame, like: VideoFrame) -> torch.Tensor:
    """RGB, turned and sized as the first picture of its stream is.

    Args:
        picture: as it came out of the decoder.
        like: the first one. A stream may change its size on the way, its frames here do not.

    Returns:
        (3, H, W) uint8, channels last in memory.

    Raises:
        DecoderStoppedError: if there is no way to RGB.
    """
    try:
        # One thread: for each picture it costs more to start others than these save.
        shown = picture.reformat(like.width, like.height, "rgb24", threads=1)
        pixels = shown.to_ndarray().astype(np.uint8, copy=False)
    except (av.FFmpegError, ValueError) as error:
        raise DecoderStoppedError(f"no way from {picture.format.name} to RGB") from error
    return to_image(_turned(pixels, turn_of(like)))


def to_image(pixels: Pixels) -> torch.Tensor:
    """(H, W, 3) to (3, H, W) without moving a byte."""
    return torch.from_numpy(pixels).permute(2, 0, 1)


def turn_of(picture: VideoFrame) -> Turn:
    """How the stored picture is to be turned to be upright, from its display matrix."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix))
    is_quarter_turn = (b == c == 0 and a and d) or (a == d == 0 and b and c)
    return (_sign(a), _sign(b), _sign(c), _sign(d)) if is_quarter_turn else UPRIGHT


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _turned(pixels: Pixels, turn: Turn) -> Pixels:
    a, b, c, d = turn
    swapped = pixels.swapaxes(0, 1) if a == 0 else pixels
    return np.ascontiguousarray(swapped[:: b + d, :: a + c])
