"""The finest level of a pyramid, convolved where somebody looks at it.

RoIAlign takes only small boxes from there. It is four times as large as the next level, and in
most pictures most of it is in no small box.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from qivis.ops.tiles import TILE
from qivis.ops.winograd import convolve_tiles

# Numbers of tiles that are convolved at once: as few as there may be, since weights are packed for
# each. Fewer tiles than the first take no less time than it.
PARTS = (16, 80)


class OnDemand:
    """A convolution of maps that is done bit by bit."""

    def __init__(self, features: Tensor, multiply: Callable[[Tensor], Tensor], out: Tensor) -> None:
        """Prepare to convolve; nothing is written yet.

        Args:
            features: (B, C, H, W), channels last; H and W are multiples of `TILE`.
            multiply: as of `winograd.convolve`.
            out: (B, D, H, W), channels last.
        """
        self._features, self._multiply, self._out = features, multiply, out
        rows, columns = features.shape[2] // TILE, features.shape[3] // TILE
        self._rows, self._columns = torch.arange(rows), torch.arange(columns)
        self._done = torch.zeros(len(features), rows * columns, dtype=torch.bool)

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
        for image, (features, done, out) in enumerate(
            zip(self._features, self._done, self._out, strict=True)
        ):
            of_image = images == image
            seen = (down[of_image].T @ across[of_image]).flatten() > 0
            for tiles in _parts((seen & ~done).nonzero()[:, 0]):
                convolve_tiles(features, tiles, self._multiply, out)
            done |= seen


def _parts(tiles: Tensor) -> Iterator[Tensor]:
    """Tiles in parts of one of the sizes; the last one is repeated where some are missing."""
    small, large = PARTS
    while len(tiles):
        size = small if len(tiles) <= 2 * small else large
        part, tiles = tiles[:size], tiles[size:]
        yield torch.cat([part, part[-1:].expand(size - len(part))])
