"""Where the tiles of `winograd` lie: 6 x 6 pixels, overlapping by two, for 4 x 4 results.

Tiles are taken and results put in their places by index, which is several times as fast as through
views with strides.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

TILE = 4  # results a side
SIDE = TILE + 2  # pixels a side


@dataclass(frozen=True, eq=False)
class Tiling:
    """T tiles of a stack of maps (B, H, W), whose pixels are counted through.

    One is equal only to itself, so that what was made for it can be remembered.

    windows: (T, 36) int64, the pixel at each place of a tile; around the maps, a neighbour of it.
    is_outside: (T, 36) bool, where there is a zero around the maps instead.
    pixels: B * H * W.
    """

    windows: Tensor
    is_outside: Tensor
    pixels: int

    @cached_property
    def outside(self) -> Tensor:
        """(X,) int64, which of the T * 36 places lie around the maps."""
        return self.is_outside.flatten().nonzero()[:, 0]

    @cached_property
    def middles(self) -> "Tiling":
        """The 4 x 4 pixels of their results, (T, 16)."""
        return Tiling(_middles(self.windows), _middles(self.is_outside), self.pixels)

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        """Which of the T * 36 places lie on each pixel, pixel after pixel; and where each begins.

        In 32 bits, which take half the memory.
        """
        windows = self.windows.masked_fill(self.is_outside, self.pixels)
        pixels, order = windows.flatten().sort(stable=True)
        starts = torch.searchsorted(pixels, torch.arange(self.pixels + 1)).int()
        return order[: starts[-1]].int(), starts[:-1]

    def repeated(self, maps: int, tiles: Tensor) -> "Tiling":
        """Of so many stacks like this, one after the other, the tiles (T',) int64."""
        stack, tile = tiles // len(self.windows), tiles % len(self.windows)
        windows = self.windows[tile] + self.pixels * stack[:, None]
        return Tiling(windows, self.is_outside[tile], self.pixels * maps)

    def tiles_of(self, maps: Tensor) -> Tensor:
        """The pixels of maps (B, H, W, C) in the order of `windows`: (T, 36, C)."""
        channels = maps.shape[-1]
        tiles = maps.reshape(-1, channels).index_select(0, self.windows.flatten())
        tiles.index_fill_(0, self.outside, 0)
        return tiles.view(*self.windows.shape, channels)

    def sums_of(self, tiles: Tensor, stacks: int = 1) -> Tensor:
        """For each pixel the sum of what tiles have there; the transpose of `tiles_of`.

        As sums of rows they are made in one pass.

        Args:
            tiles: (S * T, 36, C), of so many stacks S like this, one after the other.

        Returns:
            (S * B * H * W, C).
        """
        places, starts = self._places
        stack = torch.arange(stacks, dtype=torch.int32)[:, None]
        all_places = places + self.windows.numel() * stack
        all_starts = starts + len(places) * stack
        return F.embedding_bag(
            all_places.flatten(), tiles.flatten(0, 1), all_starts.flatten(), mode="sum"
        )


class SeenTiles:
    """Which tiles of maps somebody has looked at, of B maps of rows x columns tiles."""

    def __init__(self, maps: int, rows: int, columns: int) -> None:
        self._seen = np.zeros((maps, rows, columns), dtype=np.bool_)

    def look_at(self, images: Tensor, first: Tensor, last: Tensor) -> list[NDArray[np.int64]]:
        """Look at N regions.

        Args:
            images: (N,) int64, the map of each.
            first, last: (N, 2) int64, x y of the pixels in its corners.

        Returns:
            For each map the tiles that are new, counted row by row.
        """
        looked = np.zeros_like(self._seen)
        starts, ends = first.numpy() // TILE, last.numpy() // TILE + 1
        for image, start, end in zip(images.tolist(), starts.tolist(), ends.tolist(), strict=True):
            looked[image, start[1] : end[1], start[0] : end[0]] = True
        new = [np.flatnonzero(of_map) for of_map in looked & ~self._seen]
        self._seen |= looked
        return new


@lru_cache(maxsize=128)
def tiling(maps: int, height: int, width: int, first: int, count: int) -> Tiling:
    """Rows of tiles, of each map one after the other.

    Args:
        maps: B, of `height` x `width` pixels each.
        first: the first row of tiles, the same in each of the maps.
        count: how many rows of each.
    """
    steps = torch.arange(SIDE) - 1
    down = TILE * torch.arange(first, first + count)[:, None] + steps  # (count, 6)
    across = TILE * torch.arange(-(-width // TILE))[:, None] + steps  # (columns, 6)
    is_outside = _is_outside(down, height)[:, None, :, None] | _is_outside(across, width)[:, None]
    down, across = down.clamp(0, height - 1), across.clamp(0, width - 1)
    windows = down[:, None, :, None] * width + across[:, None]  # (count, columns, 6, 6)
    windows = torch.arange(maps).view(-1, 1, 1, 1, 1) * (height * width) + windows
    flat = (-1, SIDE**2)
    pixels = maps * height * width
    return Tiling(windows.view(flat), is_outside.expand_as(windows).reshape(flat), pixels)


def put_results(results: Tensor, out: Tensor, width: int, first: int, count: int) -> None:
    """Write the results of rows of tiles where they belong; others of a map stay as they are.

    Args:
        results: (T * 16, D), tile by tile.
        out: (B, H * width, D), the maps that the tiles were taken from have this size.
        first, count: as of `tiling`.
    """
    places = result_places(len(out), out.shape[1] // width, width, first, count)
    pixels = out[:, TILE * first * width :].flatten(0, 1)[: len(places)]
    torch.index_select(results, 0, places, out=pixels)


@lru_cache(maxsize=256)
def result_places(maps: int, height: int, width: int, first: int, count: int) -> Tensor:
    """(P,) int64: for each pixel of the maps that rows of tiles result in, which result it is.

    Results are counted tile by tile, T * 16; arguments are those of `tiling`.
    """
    columns = -(-width // TILE)
    number = torch.arange(maps * count * columns * TILE**2)
    results = number.view(maps, count, columns, TILE, TILE).transpose(2, 3)
    results = results.reshape(maps, count * TILE, columns * TILE)
    return results[:, : height - TILE * first, :width].flatten()


def _middles(places: Tensor) -> Tensor:
    """(T, 16) of (T, 36)."""
    return places.view(-1, SIDE, SIDE)[:, 1:-1, 1:-1].flatten(1)


def _is_outside(positions: Tensor, size: int) -> Tensor:
    return (positions < 0) | (positions >= size)
