"""Clips of a few tracks whose masks are rectangles, and videos whose pictures tell their index."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from qivis.ops import rle
from qivis.structures import Categories, Category, Track, TrackedClip, View
from qivis.viz.writer import VideoWriter

CATEGORIES = Categories((Category(1, "person"), Category(2, "animal")))
SIZE = (120, 200)  # (H, W) of clips and videos
FPS = 10
BITS = 6  # of an index, as black and white stripes

Box = tuple[int, int, int, int]  # x1 y1 x2 y2 in whole pixels


def seen(box: Box, score: float = 0.9, likeness: float = 1.0) -> View:
    left, top, right, bottom = box
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[0, top:bottom, left:right] = True
    return View(rle.encode(mask)[0], score, likeness)


def track(track_id: int, views: Mapping[int, View], length: int = 30, label: int = 0) -> Track:
    return Track(track_id, label, tuple(views.get(frame) for frame in range(length)))


def clip(*tracks: Track, length: int = 30, lost: Sequence[int] = ()) -> TrackedClip:
    times = tuple(None if frame in lost else frame / FPS for frame in range(length))
    return TrackedClip(SIZE, Fraction(FPS), times, CATEGORIES, tracks)


def striped(index: int) -> NDArray[np.uint8]:
    """A picture whose index can be read off even after compression: its bits, lowest first."""
    stripes = [255 * (index >> bit & 1) for bit in range(BITS)]
    columns = np.repeat(np.array(stripes, np.uint8), -(-SIZE[1] // BITS))[: SIZE[1]]
    return np.ascontiguousarray(np.broadcast_to(columns[None, :, None], (*SIZE, 3)))


def write_video(path: Path, frames: Sequence[int], times: Sequence[float] | None = None) -> Path:
    """A video of pictures with these indices, at these seconds or at the steady rate of `FPS`."""
    with VideoWriter(path, SIZE, Fraction(FPS)) as writer:
        for frame, seconds in zip(frames, times or [frame / FPS for frame in frames], strict=True):
            writer.write(striped(frame), seconds)
    return path
