"""The video that a review page shows: the frames of the clip, small and without anything drawn."""

from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from qivis.structures import Frame, TrackedClip
from qivis.viz.writer import VideoWriter

LONGEST_SIDE = 640  # pixels; enough to tell objects apart, and a tenth of the bytes of full HD


def write_proxy(frames: Iterable[Frame], clip: TrackedClip, path: Path) -> None:
    """Write a clip's video for its review page, one picture for each frame that it knows.

    Args:
        frames: of the clip, in order, with its indices; what comes after its end is not asked for,
            and what was lost when it was made is left out.
        clip: what was found in them.
        path: of the mp4.

    Raises:
        DataError: if nothing can be written there, or there is no frame.
    """
    size = proxy_size(clip.size)
    with VideoWriter(path, size, clip.fps) as writer:
        for frame in takewhile(lambda frame: frame.index < len(clip.times), frames):
            seconds = clip.times[frame.index]
            if seconds is not None:
                writer.write(shrink(frame.image, size), seconds)


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
