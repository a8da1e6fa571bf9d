"""The finest level of a pyramid, computed where somebody looks at it.

RoIAlign takes only small boxes from there. It is four times as large as the next level, and in
most pictures most of it is in no small box.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from qivis.ops.tiles import TILE, tiling
from qivis.ops.winograd import convolve_tiles

# Numbers of tiles, and of pixels, that are computed at once: as few as there may be, since weights
# are packed for each. Fewer than the first take no less time than it.
TILES = (16, 80)
PIXELS = (128, 1024)


class SumsOnDemand:
    """Of a convolution of one pixel, and a coarser map on top, the pixels that are asked for.

    result: (B, D, H, W), channels last; undefined where nobody has asked.
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
        self._features, self._coarser = _rows(features), _rows(coarser)
        self._sums = features.new_empty(images, height * width, coarser.shape[1])
        self._above = _above(height, width)
        self._done = torch.zeros(images, height * width, dtype=torch.bool)
        self._add = add
        self.result = self._sums.view(images, height, width, -1).permute(0, 3, 1, 2)

    def compute(self, image: int, pixels: Tensor) -> None:
        """Have pixels (N,) of a map, counted row by row; some may be there, or named twice."""
        done = self._done[image]
        asked = torch.zeros_like(done)
        asked[pixels] = True
        for part in _parts((asked & ~done).nonzero()[:, 0], PIXELS):
            features = self._features[image].index_select(0, part)
            above = self._coarser[image].index_select(0, self._above[part])
            self._sums[image].index_copy_(0, part, _pixels(self._add(_map(features), _map(above))))
        done |= asked


class OnDemand:
    """A convolution of maps that is done bit by bit."""

    def __init__(
        self,
        features: Tensor | SumsOnDemand,
        multiply: Callable[[Tensor], Tensor],
        out: Tensor,
    ) -> None:
        """Prepare to convolve; nothing is written yet.

        Args:
            features: (B, C, H, W), channels last; H and W are multiples of `TILE`. What has to be
                asked for is asked for where it is needed.
            multiply: as of `winograd.convolve`.
            out: (B, D, H, W), channels last.
        """
        self._sums = features if isinstance(features, SumsOnDemand) else None
        self._features = features.result if isinstance(features, SumsOnDemand) else features
        self._multiply, self._out = multiply, out
        images, _, height, width = self._features.shape
        rows, columns = height // TILE, width // TILE
        self._windows = tiling(1, height, width, 0, rows).windows
        self._rows, self._columns = torch.arange(rows), torch.arange(columns)
        self._done = torch.zeros(images, rows * columns, dtype=torch.bool)

    def look_at(self, images: Tensor, first: Tensor, last: Tensor) -> None:
        """Have results where N regions lie.

        What is computed for a map depends on the regions that it was ever looked at in, and on no
        other map.

        Args:
            images: (N,) int64, the map of each.
            first, last: (N, 2) int64, x y of the pixels in its corners.
        """
        first, last = first // TILE, last // TILE
        across = (self._columns >= first[:, :1]) & (self._columns <= last[:, :1])  # (N, columns)
        down = (self._rows >= first[:, 1:]) & (self._rows <= last[:, 1:])  # (N, rows)
        across, down = across.float(), down.float()
        for image, done in enumerate(self._done):
            of_image = images == image
            seen = (down[of_image].T @ across[of_image]).flatten() > 0
            tiles = (seen & ~done).nonzero()[:, 0]
            if self._sums is not None and len(tiles):
                self._sums.compute(image, self._windows[tiles].flatten())
            for part in _parts(tiles, TILES):
                convolve_tiles(self._features[image], part, self._multiply, self._out[image])
            done |= seen


def _parts(places: Tensor, sizes: tuple[int, int]) -> Iterator[Tensor]:
    """Places in parts of one of the sizes; the last one is repeated where some are missing."""
    small, large = sizes
    while len(places):
        size = small if len(places) <= 2 * small else large
        part, places = places[:size], places[size:]
        yield torch.cat([part, part[-1:].expand(size - len(part))])


@lru_cache(maxsize=32)
def _above(height: int, width: int) -> Tensor:
    """(H * W,) int64, for each pixel of a map the one that covers it in the map of half the size.

    Both are counted row by row.
    """
    rows, columns = torch.arange(height) // 2, torch.arange(width) // 2
    return (rows[:, None] * (width // 2) + columns).flatten()


def _rows(maps: Tensor) -> Tensor:
    """(B, H * W, C) of (B, C, H, W)."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _map(pixels: Tensor) -> Tensor:
    """(1, C, P, 1) of (P, C)."""
    return pixels[None, :, None].permute(0, 3, 1, 2)


def _pixels(maps: Tensor) -> Tensor:
    """(P, C) of (1, C, P, 1)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
