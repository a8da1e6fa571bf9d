"""The video that a review page shows: the frames of the clip, small and without anything drawn.

It is written by `VideoWriter`, one picture for each frame that could be decoded, with its time.
"""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

LONGEST_SIDE = 640  # pixels; enough to tell objects apart, and a tenth of the bytes of full HD


def proxy_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size of a clip's pictures on its review page.

    Args:
        size: (H, W) of the clip.

    Returns:
        (h, w) of nearly the same shape, even as H.264 wants it.
    """
    scale = min(1.0, LONGEST_SIDE / max(size))
    height, width = (max(2, 2 * round(side * scale / 2)) for side in size)
    return height, width


def shrink(image: Tensor, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture at the size that its review page shows.

    Args:
        image: (3, H, W) uint8 RGB, on the CPU.
        size: (h, w) from `proxy_size`.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    # Without antialiasing fine patterns would flicker from frame to frame.
    small = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    pixels: NDArray[np.uint8] = np.ascontiguousarray(small.permute(1, 2, 0).numpy())
    return pixels
