"""3 x 3 convolutions with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

(Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.) Tiles of 6 x 6 pixels and
the kernel, taken as polynomials, are evaluated at 6 x 6 points; values are multiplied point by
point, where a matrix product sums the channels; and 4 x 4 results are interpolated. The tiles
overlap by two pixels. For inference on CPUs; with gradients: `winograd_learning`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from qivis.ops.tiles import SIDE, TILE, Tiling, result_places, tiling

# And infinity. With halves, rounding to bfloat16 does two thirds of the harm that it does with the
# usual 0, 1, -1, 2, -2; and all numbers of the transforms are exact in bfloat16, too.
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
BIAS_POINT = 1 * SIDE + 1  # the point (1, 1), whose value all results of a tile have for a summand

# Of the tiles that are transformed at once. They stay in the caches, and together with the results
# they stay small enough for the C library to keep their memory: new pages from the system take
# longer than the transforms.
_VALUES = 1 << 20
_ENOUGH_TILES = 64  # at once, for matrix products to be fast


def transform_kernel(weight: Tensor) -> Tensor:
    """A kernel at the points.

    Args:
        weight: (D, C, 3, 3), for a convolution of stride 1.

    Returns:
        (36, C, D).
    """
    filters, channels = weight.shape[:2]
    kernel = weight.double().permute(2, 3, 1, 0).reshape(9, -1)
    values = KERNEL_AT_POINTS.to(weight.device) @ kernel
    return values.view(-1, channels, filters).to(weight.dtype)


def bias_at_points(bias: Tensor) -> Tensor:
    """(D,) to (36, D): what the products are to be given, for results to get the bias."""
    values = bias.new_zeros(SIDE**2, len(bias))
    values[BIAS_POINT] = bias
    return values


def convolve(
    features: Tensor,
    filters: int,
    multiply: Callable[[Tensor], Tensor],
    limits: tuple[float | None, float | None] = (None, None),
    out: Tensor | None = None,
) -> Tensor:
    """Convolution with one pixel of padding, and limits to the result.

    In float32 about as exact as a convolution one by one, in bfloat16 7 times coarser.

    Args:
        features: (B, C, H, W), float32 or bfloat16; B may be 0.
        filters: D.
        multiply: values (T, 36, C) to products (T, 36, D): at each point by the matrix of
            `transform_kernel`, plus `bias_at_points`. T is the same in all calls for a B, H and W.
        limits: the least and the greatest result; (0, None) is a ReLU.
        out: (B, D, H, W), where the result is written, channels last.

    Returns:
        (B, D, H, W), channels last.
    """
    images, channels, height, width = features.shape
    if out is None:
        out = features.new_empty(images, height, width, filters).permute(0, 3, 1, 2)
    pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)
    results = out.permute(0, 2, 3, 1).view(-1, filters)
    for part in _parts(images, height, width, _VALUES // (SIDE**2 * max(channels, filters))):
        tiles = pixels.index_select(0, part.windows).view(-1, SIDE**2, channels)
        of_tiles = convolve_tiles(tiles, multiply, _evaluate(part.tiles, tiles.dtype))
        if limits != (None, None):
            of_tiles.clamp_(*limits)
        torch.index_select(of_tiles, 0, part.places, out=results[part.results])
    return out


def convolve_tiles(
    tiles: Tensor, multiply: Callable[[Tensor], Tensor], evaluate: Tensor | None = None
) -> Tensor:
    """Convolution of tiles, as `convolve` has it.

    Args:
        tiles: (T, 36, C), 6 x 6 pixels each.
        multiply: as of `convolve`.
        evaluate: (T, 36, 36), the transform of each tile, where they have transforms of their own.

    Returns:
        (T * 16, D), the 4 x 4 results of each.
    """
    if evaluate is None:
        evaluate = _repeated(EVALUATE, len(tiles), tiles.dtype)
    interpolate = _repeated(INTERPOLATE, len(tiles), tiles.dtype)
    return torch.bmm(interpolate, multiply(torch.bmm(evaluate, tiles))).flatten(0, 1)


@dataclass(frozen=True)
class _Part:
    """Tiles of a stack of maps that are convolved at once: of some maps, or some rows of one.

    tiles: where they lie in these maps.
    windows: (T * 36,) int64, where they lie in the stack, whose pixels are counted through.
    results: which pixels of the stack result.
    places: (P,) int64, which of the tiles' results each of these is.
    """

    tiles: Tiling
    windows: Tensor
    results: slice
    places: Tensor


@lru_cache(maxsize=64)
def _parts(images: int, height: int, width: int, most_tiles: int) -> tuple[_Part, ...]:
    """The parts of maps (B, H, W), all of one size; the last may overlap the one before."""
    rows, columns = -(-height // TILE), -(-width // TILE)
    if rows * columns > most_tiles:
        count = -(-rows // max(1, most_tiles // columns))
        deep, high = 1, -(-rows // count)
    else:
        count = max(1, images * rows * columns // _ENOUGH_TILES)
        deep, high = -(-images // count), rows
    parts = []
    for image, row in product(_starts(images, deep), _starts(rows, high)):
        tiles = tiling(deep, height, width, row, high)
        places = result_places(deep, height, width, row, high)
        first = image * height * width
        windows, start = first + tiles.windows.flatten(), first + TILE * row * width
        parts.append(_Part(tiles, windows, slice(start, start + len(places)), places))
    return tuple(parts)


@lru_cache(maxsize=64)
def _evaluate(where: Tiling, dtype: torch.dtype) -> Tensor:
    """`EVALUATE` for each tile, (T, 36, 36), that takes what is around the maps for zeros.

    That spares writing them.
    """
    return EVALUATE.to(dtype) * ~where.is_outside[:, None]


@lru_cache(maxsize=32)
def _repeated(matrix: Tensor, times: int, dtype: torch.dtype) -> Tensor:
    """(N, M) to (times, N, M).

    It lies in memory as often as that, and is remembered: for bfloat16 PyTorch would make the
    copies in each call.
    """
    return matrix.to(dtype).expand(times, -1, -1).contiguous()


def _starts(count: int, size: int) -> list[int]:
    """Of parts of one size that cover `count`; none of nothing."""
    return [min(start, count - size) for start in range(0, count, size or 1)]


def _matrices() -> tuple[Tensor, Tensor, Tensor]:
    """The transforms of Cook and Toom for one side: of tiles, kernels and products."""
    points = np.array(_POINTS)
    others = [np.delete(points, index) for index in range(len(points))]
    tile = np.zeros((SIDE, SIDE))
    for row, roots in enumerate(others):
        tile[row, :-1] = np.poly(roots)[::-1]  # the polynomial that is zero at the other points
    tile[-1] = np.poly(points)[::-1]
    scales = [np.prod(point - rest) for point, rest in zip(points, others, strict=True)]
    kernel = np.vstack([np.vander(points, 3, increasing=True) / np.c_[scales], np.eye(3)[-1:]])
    results = np.hstack([np.vander(points, TILE, increasing=True).T, np.eye(TILE)[:, -1:]])
    return torch.from_numpy(tile), torch.from_numpy(kernel), torch.from_numpy(results)


_TILE_SIDE, _KERNEL_SIDE, _PRODUCT_SIDE = _matrices()
EVALUATE = torch.kron(_TILE_SIDE, _TILE_SIDE)
INTERPOLATE = torch.kron(_PRODUCT_SIDE, _PRODUCT_SIDE)
KERNEL_AT_POINTS = torch.kron(_KERNEL_SIDE, _KERNEL_SIDE)
