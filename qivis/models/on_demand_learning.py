"""The finest level of a pyramid in trainings on CPUs, computed where boxes look at it.

Forward and backward, its convolution takes about a tenth of a step. RoIAlign takes only small boxes
from there: what no small box looks at needs no result, and has no gradient. `on_demand` is the same
for inference, with the lateral convolution and in two precisions.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from qivis.models.fpn import Fpn
from qivis.models.winograd_conv import WinogradConv2d, learns_by_winograd
from qivis.ops.roi_align import LaidOutPyramid
from qivis.ops.tiles import TILE, SeenTiles, Tiling, tiling
from qivis.ops.winograd_learning import (
    TILES_AT_ONCE,
    convolve_tiles,
    kernel_at_points,
    kernel_from_points,
    learn_from_tiles,
)


class PyramidOnDemand:
    """A pyramid network; while it learns, its finest level is computed on demand."""

    def __init__(self, fpn: Fpn) -> None:
        self.plain = fpn.forward
        self._fpn = fpn

    def __call__(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """As `Fpn.forward`; of the finest level nothing but what `RoIAlign` takes may be read."""
        conv = self._fpn.output[0]
        height, width = features[0].shape[2:]
        if not isinstance(conv, WinogradConv2d) or height % TILE or width % TILE:
            return self.plain(features)
        finest, *coarser = self._fpn.sums(features)
        outputs = [
            output(level) for output, level in zip(self._fpn.output[1:], coarser, strict=True)
        ]
        if not learns_by_winograd(finest, conv.weight):
            return (conv(finest), *outputs)
        return laid_out_on_demand(finest, conv, outputs)


def laid_out_on_demand(
    features: Tensor, conv: nn.Conv2d, coarser: Sequence[Tensor]
) -> LaidOutPyramid:
    """A pyramid whose finest level is to be convolved where somebody looks at it.

    Args:
        features: (B, C, H, W), of the finest level; H and W are multiples of `TILE`.
        conv: 3 x 3, with a bias and D channels, by which it is convolved.
        coarser: the other levels, (B, D, h, w) each.
    """
    memory = LaidOutPyramid.empty((features, *coarser), conv.out_channels)
    rows: Tensor = _LaidOut.apply(memory, features, conv.weight, conv.bias, *coarser)
    pyramid = LaidOutPyramid((memory[0], *coarser))
    pyramid.rows, pyramid.look_at = rows, memory.look_at
    return pyramid


class ConvolutionOnDemand:
    """A 3 x 3 convolution of maps tile by tile, and what is learned from it.

    All tensors are without gradients of their own; `winograd_learning` says how it is done.
    """

    def __init__(self, features: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> None:
        """Prepare; nothing is written yet.

        Args:
            features: (B, C, H, W); H and W are multiples of `TILE`.
            weight, bias: (D, C, 3, 3) and (D,).
            out: (B, D, H, W), channels last.
        """
        images, _, height, width = features.shape
        rows, columns = height // TILE, width // TILE
        self._maps = _pixels(features)
        self._kernel, self._bias = kernel_at_points(weight), bias
        self._out = out.permute(0, 2, 3, 1).view(-1, out.shape[1])
        self._of_map = tiling(1, height, width, 0, rows)
        self._seen = SeenTiles(images, rows, columns)
        self._parts: list[_Part] = []

    def look_at(self, images: Tensor, first: Tensor, last: Tensor) -> None:
        """Have results where N regions lie.

        Args:
            images, first, last: as of `SeenTiles.look_at`.
        """
        seen = enumerate(self._seen.look_at(images, first, last))
        tiles_of_map = len(self._of_map.windows)
        new = np.concatenate([image * tiles_of_map + tiles for image, tiles in seen])
        for start in range(0, len(new), TILES_AT_ONCE):
            tiles = torch.from_numpy(new[start : start + TILES_AT_ONCE])
            where = self._of_map.repeated(len(self._maps), tiles)
            values = self._maps.new_empty(*where.windows.shape, self._maps.shape[-1])
            results = convolve_tiles(where.tiles_of(self._maps), self._kernel, self._bias, values)
            self._out.index_copy_(0, where.middles.windows.flatten(), results)
            self._parts.append(_Part(tiles, where, values))

    def gradients(self, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Those of features, weight and bias.

        Args:
            gradient: (B, D, H, W), of the results; zero where nobody has looked.
        """
        pixels, kernel = _pixels(gradient), self._kernel
        points, channels, filters = kernel.shape
        of_kernel = kernel.new_zeros(points, filters, channels)
        nothing = torch.empty(0, dtype=torch.int64)
        tiles = torch.cat([nothing, *(part.tiles for part in self._parts)])
        of_tiles = kernel.new_empty(len(tiles), points, channels)
        of_parts = of_tiles.split([len(part.tiles) for part in self._parts])
        for part, learned in zip(self._parts, of_parts, strict=True):
            of_results = part.where.middles.tiles_of(pixels)
            learn_from_tiles(of_results, part.values, kernel, of_kernel, learned)
        sums = self._of_map.repeated(len(self._maps), tiles).sums_of(of_tiles)
        of_maps = sums.view(self._maps.shape).permute(0, 3, 1, 2)
        return of_maps, kernel_from_points(of_kernel), gradient.sum((0, 2, 3))


class _Part(NamedTuple):
    """Tiles that were convolved together.

    tiles: (T,) int64, of all tiles of the maps.
    where: where they lie.
    values: (T, 36, C), those at the points.
    """

    tiles: Tensor
    where: Tiling
    values: Tensor


class _LaidOut(torch.autograd.Function):
    """The rows of a pyramid (R, D), whose finest level is written, and learns, on demand."""

    @staticmethod
    def forward(
        ctx: Any,
        pyramid: LaidOutPyramid,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        *coarser: Tensor,
    ) -> Tensor:
        """Write levels, and have a pyramid look at the finest, whose convolution this is of."""
        finest = ConvolutionOnDemand(features.detach(), weight.detach(), bias.detach(), pyramid[0])
        for place, level in zip(pyramid[1:], coarser, strict=True):
            place.copy_(level.detach())
        pyramid.look_at = finest.look_at
        ctx.finest, ctx.shapes = finest, [level.permute(0, 2, 3, 1).shape for level in pyramid]
        # Without `data` PyTorch would take what is written later for a change of what it has seen.
        return pyramid.rows.data

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Takes (R, D)."""
        parts = gradient.split([math.prod(shape[:3]) for shape in ctx.shapes])
        finest, *coarser = (
            part.view(shape).permute(0, 3, 1, 2)
            for part, shape in zip(parts, ctx.shapes, strict=True)
        )
        layer, ctx.finest = ctx.finest, None  # so that its memory does not wait for the graph's end
        return None, *layer.gradients(finest), *coarser


def _pixels(maps: Tensor) -> Tensor:
    """(B, H, W, C) of (B, C, H, W), one after the other."""
    return maps.permute(0, 2, 3, 1).contiguous()
