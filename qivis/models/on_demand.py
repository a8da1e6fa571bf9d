"""The finest level of a pyramid, computed where somebody looks at it.

RoIAlign takes only small boxes from there. It is four times as large as the next level, and in
most pictures most of it is in no small box.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qivis.ops.tiles import SIDE, TILE, SeenTiles, tiling
from qivis.ops.winograd import convolve_tiles

# Numbers of tiles, and of pixels, that are computed at once: as few as there may be, since weights
# are packed for each. Fewer than the first take no less time than it.
TILES = (16, 80)
PIXELS = (128, 1024)

Indices = NDArray[np.int64]


class SumsOnDemand:
    """Of a convolution of one pixel, and a coarser map on top, the pixels that are asked for.

    rows: (B, H * W + 1, D), counted row by row; undefined where nobody has asked. The last one of
        each map is zero.
    size: (H, W).
    """

    def __init__(
        self, features: Tensor, coarser: Tensor, add: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        """Prepare; nothing is computed yet.

        Args:
            features: (B, C, H, W), channels last.
            coarser: (B, D, H / 2, W / 2), channels last, each of whose pixels is added to four.
            add: maps (1, C, P, 1) and (1, D, P, 1) to the sums of these and what those convolve to.
        """
        images, _, height, width = features.shape
        self.size = height, width
        self.rows = features.new_empty(images, height * width + 1, coarser.shape[1])
        self.rows[:, -1] = 0
        self._features, self._coarser = _rows(features), _rows(coarser)
        self._above = _above(height, width)
        self._done = np.zeros((images, height * width + 1), dtype=np.bool_)
        self._done[:, -1] = True
        self._add = add

    def compute(self, image: int, pixels: Indices) -> None:
        """Have pixels (N,) of a map; some may be there, or named twice."""
        done = self._done[image]
        asked = np.zeros_like(done)
        asked[pixels] = True
        for part in _parts(np.flatnonzero(asked & ~done), PIXELS):
            features = self._features[image].index_select(0, torch.from_numpy(part))
            above = self._coarser[image].index_select(0, torch.from_numpy(self._above[part]))
            sums = self._add(_map(features), _map(above)).permute(0, 2, 3, 1)
            self.rows[image].index_copy_(0, torch.from_numpy(part), sums.flatten(0, 2))
        done |= asked


class OnDemand:
    """A convolution of maps that is done bit by bit."""

    def __init__(
        self, sums: SumsOnDemand, multiply: Callable[[Tensor], Tensor], out: Tensor
    ) -> None:
        """Prepare to convolve; nothing is written yet.

        Args:
            sums: maps (B, D, H, W), which are asked for where they are needed; H and W are
                multiples of `TILE`.
            multiply: as of `winograd.convolve`.
            out: (B, D', H, W), channels last.
        """
        self._sums, self._multiply = sums, multiply
        self._out = out.permute(0, 2, 3, 1).view(len(out), -1, out.shape[1])
        self._places = _places(*sums.size)
        rows, columns = (side // TILE for side in sums.size)
        self._seen = SeenTiles(len(out), rows, columns)

    def look_at(self, images: Tensor, first: Tensor, last: Tensor) -> None:
        """Have results where N regions lie.

        What is computed for a map depends on the regions that it was ever looked at in, and on no
        other map.

        Args:
            images, first, last: as of `SeenTiles.look_at`.
        """
        for image, tiles in enumerate(self._seen.look_at(images, first, last)):
            if len(tiles):
                self._convolve(image, tiles)

    def _convolve(self, image: int, tiles: Indices) -> None:
        """Tiles (T,) of a map, counted row by row."""
        windows, middles = self._places
        self._sums.compute(image, windows[tiles].ravel())
        rows, out = self._sums.rows[image], self._out[image]
        for part in _parts(tiles, TILES):
            taken = rows.index_select(0, torch.from_numpy(windows[part].ravel()))
            results = convolve_tiles(taken.view(len(part), SIDE**2, -1), self._multiply)
            out.index_copy_(0, torch.from_numpy(middles[part].ravel()), results)


def _parts(places: Indices, sizes: tuple[int, int]) -> Iterator[Indices]:
    """Places in parts of one of the sizes; the last one is repeated where some are missing."""
    small, large = sizes
    while len(places):
        size = small if len(places) <= 2 * small else large
        part, places = places[:size], places[size:]
        yield np.pad(part, (0, size - len(part)), mode="edge")


class _Places(NamedTuple):
    """Where the T tiles of a map lie, whose pixels are counted row by row.

    windows: (T, 36); H * W around the map.
    middles: (T, 16), of their results.
    """

    windows: Indices
    middles: Indices


@lru_cache(maxsize=32)
def _places(height: int, width: int) -> _Places:
    tiles = tiling(1, height, width, 0, height // TILE)
    windows = tiles.windows.masked_fill(tiles.is_outside, height * width)
    return _Places(windows.numpy(), tiles.middles.windows.numpy())


@lru_cache(maxsize=32)
def _above(height: int, width: int) -> Indices:
    """(H * W,), for each pixel of a map the one that covers it in the map of half the size."""
    rows, columns = np.arange(height) // 2, np.arange(width) // 2
    return (rows[:, None] * (width // 2) + columns).ravel()


def _rows(maps: Tensor) -> Tensor:
    """(B, H * W, C) of (B, C, H, W), channels last."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _map(pixels: Tensor) -> Tensor:
    """(1, C, P, 1) of (P, C)."""
    return pixels[None, :, None].permute(0, 3, 1, 2)
