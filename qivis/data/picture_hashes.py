"""Finding pictures that show the same: all pixels by a hash, nearly all by small grey thumbnails.

Thumbnails of no mean and unit length are compared by their correlation, which is the normalised
squared distance of Tiny Images (Torralba, Fergus, Freeman 2008) in another form. It finds copies of
another size, quality or brightness, and no mirrored, turned or cut ones.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

SIDE = 16  # of a thumbnail, in pixels
# Of 2,670 photos (coco_mini, person_animal_vehicle), the likest two that are no copies have 0.949,
# and copies at half the size and JPEG quality 50 have 0.994 or more.
LIKENESS = 0.98
FAINTEST = 4.0  # grey levels of standard deviation; in flatter thumbnails noise is compared
ROWS = 1024  # compared with all others at once


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a picture to compare it with others.

    digest: hash of its size and of all its pixels.
    thumbnail: (SIDE * SIDE,) float32 without mean and of length 1; zeros if it is nearly flat.
    """

    digest: bytes
    thumbnail: NDArray[np.float32]


def fingerprint(image: Tensor) -> Fingerprint:
    """Of a picture, (3, H, W) uint8."""
    pixels = np.ascontiguousarray(image.numpy())
    digest = hashlib.sha256(repr(pixels.shape).encode("ascii"))
    digest.update(pixels.data)
    small: NDArray[np.float32] = F.adaptive_avg_pool2d(image.float(), SIDE).mean(0).numpy().ravel()
    contrast = small - small.mean()
    if contrast.std() < FAINTEST:
        return Fingerprint(digest.digest(), np.zeros_like(small))
    return Fingerprint(digest.digest(), contrast / np.linalg.norm(contrast))


def similar_pairs(
    prints: Sequence[Fingerprint], groups: Sequence[int]
) -> list[tuple[int, int, float]]:
    """Pictures that show nearly the same.

    Args:
        prints: of N pictures.
        groups: N; two pictures of one group, as frames of one video, are not compared.

    Returns:
        Position of the first and of the second picture, and how alike they are (LIKENESS .. 1);
        for two groups only their likest pair, the likest of all first.
    """
    best: dict[tuple[int, ...], tuple[int, int, float]] = {}
    for first, second, likeness in _pairs(prints, np.array(groups)):
        key = tuple(sorted((groups[first], groups[second])))
        if likeness > best.get(key, (0, 0, 0.0))[2]:
            best[key] = (first, second, likeness)
    return sorted(best.values(), key=lambda pair: -pair[2])


def _pairs(
    prints: Sequence[Fingerprint], groups: NDArray[np.int64]
) -> Iterator[tuple[int, int, float]]:
    """First and second position, the first below the second, and likeness."""
    empty = np.zeros((0, SIDE * SIDE), np.float32)
    thumbnails = np.stack([print_.thumbnail for print_ in prints]) if prints else empty
    for start in range(0, len(thumbnails), ROWS):
        end = start + ROWS
        # What lies before `start` has been compared already.
        likeness = np.triu(thumbnails[start:end] @ thumbnails[start:].T, k=1)
        apart = groups[start:end, None] != groups[None, start:]
        rows, columns = np.nonzero((likeness >= LIKENESS) & apart)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            yield start + row, start + column, min(float(likeness[row, column]), 1.0)
