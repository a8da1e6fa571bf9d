"""3 x 3 convolutions with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

(Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.) Tiles of 6 x 6 pixels and
the kernel, taken as polynomials, are evaluated at 6 x 6 points; values are multiplied point by
point, where a matrix product sums the channels; and 4 x 4 results are interpolated. The tiles
overlap by two pixels. For inference on CPUs; with gradients: `winograd_learning`.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from qivis.ops.tiles import SIDE, TILE, Tiling, put_results, tiling

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
    if not images:
        return out
    maps = features.permute(0, 2, 3, 1).contiguous()
    target = out.permute(0, 2, 3, 1).view(images, -1, filters)
    rows, columns = -(-height // TILE), -(-width // TILE)
    tile_values = SIDE**2 * max(channels, filters)
    deep, high = _part(images, rows, columns, _VALUES // tile_values)
    for image, row in product(_starts(images, deep), _starts(rows, high)):
        part = slice(image, image + deep)
        where = tiling(deep, height, width, row, high)
        tiles = where.repeated_tiles_of(maps[part])
        results = _convolve_tiles(tiles, _evaluate(where, tiles.dtype), multiply)
        if limits != (None, None):
            results.clamp_(*limits)
        put_results(results, target[part], width, row, high)
    return out


def convolve_tiles(
    features: Tensor, tiles: Tensor, multiply: Callable[[Tensor], Tensor], out: Tensor
) -> None:
    """Convolution of parts of one map, as `convolve` has it.

    Args:
        features: (C, H, W), channels last; H and W are multiples of `TILE`.
        tiles: (T,) int64, tiles of 4 x 4 results, counted row by row; none twice, except that the
            last may be repeated.
        multiply: as of `convolve`.
        out: (D, H, W), channels last, where the results are written.
    """
    maps, target = features.permute(1, 2, 0)[None], out.permute(1, 2, 0).flatten(0, 1)
    height, width = maps.shape[1:3]
    chosen = tiling(1, height, width, 0, height // TILE).only(tiles)
    evaluate = _repeated(EVALUATE, len(tiles), maps.dtype)
    results = _convolve_tiles(chosen.tiles_of(maps), evaluate, multiply)
    target.index_copy_(0, chosen.middles.windows.flatten(), results)


def _convolve_tiles(
    tiles: Tensor, evaluate: Tensor, multiply: Callable[[Tensor], Tensor]
) -> Tensor:
    """(T * 16, D) of (T, 36, C), by a transform for each, (T, 36, 36)."""
    interpolate = _repeated(INTERPOLATE, len(tiles), tiles.dtype)
    return torch.bmm(interpolate, multiply(torch.bmm(evaluate, tiles))).flatten(0, 1)


@lru_cache(maxsize=64)
def _evaluate(where: Tiling, dtype: torch.dtype) -> Tensor:
    """`EVALUATE` for each tile, (T, 36, 36), that takes what is around the maps for zeros.

    That spares writing them.
    """
    return (EVALUATE * ~where.is_outside[:, None]).to(dtype)


@lru_cache(maxsize=32)
def _repeated(matrix: Tensor, times: int, dtype: torch.dtype) -> Tensor:
    """(N, M) to (times, N, M).

    It lies in memory as often as that, and is remembered: for bfloat16 PyTorch would make the
    copies in each call.
    """
    return matrix.to(dtype).expand(times, -1, -1).contiguous()


def _part(images: int, rows: int, columns: int, most_tiles: int) -> tuple[int, int]:
    """Of how many maps, and how many rows of each, the tiles are done at once."""
    if rows * columns > most_tiles:
        parts = -(-rows // max(1, most_tiles // columns))
        return 1, -(-rows // parts)
    parts = max(1, images * rows * columns // _ENOUGH_TILES)
    return -(-images // parts), rows


def _starts(count: int, size: int) -> list[int]:
    """Of parts of one size that cover `count`; the last overlaps the one before where it has to."""
    return [min(start, count - size) for start in range(0, count, size)]


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
