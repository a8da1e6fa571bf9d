"""3 x 3 convolutions that learn in Winograd's way: see `winograd`, of which this is the gradient.

Forward, and backward for maps and kernel alike, products of matrices sum the channels at each of 36
points; values at the points are kept in between. For CPUs, float32 and float64.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qivis.ops.tiles import TILE, Tiling, put_results, tiling
from qivis.ops.winograd import BIAS_POINT, EVALUATE, INTERPOLATE, KERNEL_AT_POINTS

_POINTS = len(EVALUATE)

# Tiles that go through all steps together: enough for matrix products to be fast, and few enough
# for what is between the steps to stay in the caches.
TILES_AT_ONCE = 330


def convolve_and_learn(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolution of stride 1 with one pixel of padding; about as exact as one by one.

    Args:
        features: (B, C, H, W), float32 or float64; fastest with channels last.
        weight: (D, C, 3, 3).
        bias: (D,).

    Returns:
        (B, D, H, W), channels last, with gradients for all three.
    """
    convolved: Tensor = _Convolution.apply(features, weight, bias)
    return convolved


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """(B, D, H, W) from (B, C, H, W), (D, C, 3, 3) and (D,)."""
        bias = None if bias is None else bias.detach()
        images, channels, height, width = features.shape
        rows, columns = -(-height // TILE), -(-width // TILE)
        maps = features.detach().permute(0, 2, 3, 1).contiguous()
        kernel = kernel_at_points(weight.detach())
        values = maps.new_empty(images, rows, columns, _POINTS, channels)
        pixels = maps.new_empty(images, height * width, len(weight))
        for part, lines in _parts(images, rows, columns):
            tiles = _tiling(maps[part], lines).tiles_of(maps[part])
            results = convolve_tiles(tiles, kernel, bias, _tiles(values[part, lines]))
            put_results(results, pixels[part], width, lines.start, lines.stop - lines.start)
        ctx.save_for_backward(values, kernel)
        return pixels.view(images, height, width, len(weight)).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """(B, C, H, W), (D, C, 3, 3) and (D,) from (B, D, H, W)."""
        values, kernel = ctx.saved_tensors
        of_features, of_weight, of_bias = ctx.needs_input_grad
        images, rows, columns, _, channels = values.shape
        height, width = gradient.shape[2:]
        gradients = gradient.permute(0, 2, 3, 1).contiguous()
        at_points = values.new_zeros(_POINTS, gradient.shape[1], channels)
        of_tiles = torch.empty_like(values) if of_features else None
        for part, lines in _parts(images, rows, columns):
            learn_from_tiles(
                _tiling(gradients[part], lines).middles.tiles_of(gradients[part]),
                _tiles(values[part, lines]),
                kernel,
                at_points if of_weight else None,
                None if of_tiles is None else _tiles(of_tiles[part, lines]),
            )
        sums = None
        if of_tiles is not None:
            sums = tiling(1, height, width, 0, rows).sums_of(_tiles(of_tiles), images)
            sums = sums.view(images, height, width, channels).permute(0, 3, 1, 2)
        return (
            sums,
            kernel_from_points(at_points) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
        )


def convolve_tiles(tiles: Tensor, kernel: Tensor, bias: Tensor | None, values: Tensor) -> Tensor:
    """Convolution of tiles.

    Args:
        tiles: (T, 36, C).
        kernel: (36, C, D), of `kernel_at_points`.
        bias: (D,).
        values: (T, 36, C), where those of the tiles at the points are written.

    Returns:
        (T * 16, D), the 4 x 4 results of each.
    """
    _transformed(EVALUATE.to(tiles), tiles, out=values)
    products = torch.bmm(values.transpose(0, 1), kernel)  # (36, T, D)
    if bias is not None:
        products[BIAS_POINT] += bias
    return _transformed(INTERPOLATE.to(tiles), products.transpose(0, 1)).flatten(0, 1)


def learn_from_tiles(
    pixels: Tensor,
    values: Tensor,
    kernel: Tensor,
    of_kernel: Tensor | None,
    of_tiles: Tensor | None,
) -> None:
    """The gradients of `convolve_tiles`, but for the bias.

    Args:
        pixels: (T, 16, D), of the results.
        values, kernel: as of `convolve_tiles`.
        of_kernel: (36, D, C), to which that of the kernel is added, unless it is not wanted.
        of_tiles: (T, 36, C), where that of the tiles is written, unless it is not wanted.
    """
    products = _transformed(INTERPOLATE.to(pixels).T, pixels).transpose(0, 1)
    if of_kernel is not None:
        of_kernel.baddbmm_(products.transpose(1, 2), values.transpose(0, 1))
    if of_tiles is not None:
        tiles = torch.bmm(products, kernel.transpose(1, 2)).transpose(0, 1)
        _transformed(EVALUATE.to(tiles).T, tiles, out=of_tiles)


def _parts(images: int, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """What is done at once: maps, and rows of tiles; several maps or some rows of one."""
    return product(_together(images, rows * columns), _together(rows, columns))


def _together(count: int, tiles: int) -> list[slice]:
    """Which maps, or rows of one, are done at once; so many there are, with so many tiles each."""
    size = max(1, TILES_AT_ONCE // tiles)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _tiling(maps: Tensor, lines: slice) -> Tiling:
    """Rows of tiles of maps (B, H, W, C)."""
    images, height, width, _ = maps.shape
    return tiling(images, height, width, lines.start, lines.stop - lines.start)


def _tiles(maps: Tensor) -> Tensor:
    """(B, rows, columns, 36, C) to (T, 36, C), the same memory."""
    return maps.view(-1, *maps.shape[3:])


def _transformed(matrix: Tensor, tiles: Tensor, out: Tensor | None = None) -> Tensor:
    """(T, N, C) of (N, M) and (T, M, C): tile by tile, which is twice as fast as all at once."""
    return torch.bmm(matrix.expand(len(tiles), -1, -1), tiles, out=out)


def kernel_at_points(weight: Tensor) -> Tensor:
    """(36, C, D) of (D, C, 3, 3)."""
    taps = weight.permute(0, 2, 3, 1).flatten(1, 2)  # (D, 9, C); no copy with channels last
    return _transformed(KERNEL_AT_POINTS.to(weight), taps).permute(1, 2, 0)


def kernel_from_points(gradient: Tensor) -> Tensor:
    """(D, C, 3, 3) of (36, D, C): the gradient of the weights from that at the points."""
    taps = _transformed(KERNEL_AT_POINTS.to(gradient).T, gradient.transpose(0, 1))
    return taps.view(len(taps), 3, 3, -1).permute(0, 3, 1, 2)
