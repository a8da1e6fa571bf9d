"""RoIAlign over a whole feature pyramid as one weighted gather.

Each bin is a weighted sum of a few pyramid cells, which is what `embedding_bag` computes: all
levels in one call, forward and backward, without a loop over levels or a host synchronisation.
Equal to torchvision's `roi_align(aligned=True)` on the level that FPN assigns (FPN, eq. 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

STRIDES = (4, 8, 16, 32)
FINEST_LEVEL_SIDE = 56.0  # a box of this side (px) is pooled from stride 4

LookAt = Callable[[Tensor, Tensor, Tensor], None]


@dataclass(frozen=True)
class PyramidRows:
    """A pyramid as rows of cells, level after level, image after image.

    rows: (R, C).
    levels: (4, 4) int64, of each level the width, the height, the first row and the stride.
    gathered: of the backward pass, what the rows are still to learn.
    look_at: has cells of the finest level computed that are not yet; see `OnDemand.look_at`.
    """

    rows: Tensor
    levels: Tensor
    gathered: list["_Gradient"]
    look_at: LookAt | None = None


class LaidOutPyramid(tuple[Tensor, ...]):
    """Levels (B, C, H, W), channels last, that are parts of the rows that RoIAlign wants.

    rows, look_at: as of `PyramidRows`; no copy is made of levels that were written where they are.
    """

    rows: Tensor
    look_at: LookAt | None = None

    @classmethod
    def empty(cls, like: Sequence[Tensor], channels: int) -> "LaidOutPyramid":
        """Memory for a pyramid of C channels, its sizes and type those of levels (B, ., H, W)."""
        cells = [level[:, 0].numel() for level in like]
        rows = like[0].new_empty(sum(cells), channels)
        pyramid = cls(
            part.view(len(level), *level.shape[2:], channels).permute(0, 3, 1, 2)
            for part, level in zip(rows.split(cells), like, strict=True)
        )
        pyramid.rows = rows
        return pyramid


def flatten_pyramid(pyramid: Sequence[Tensor]) -> PyramidRows:
    """Lay out a pyramid for `roi_align_pyramid`.

    Args:
        pyramid: (B, C, H, W) for each of the strides 4, 8, 16, 32; each side is half of that of the
            level before, rounded up.
    """
    channels = pyramid[0].shape[1]
    look_at = None
    if isinstance(pyramid, LaidOutPyramid):
        rows, look_at = pyramid.rows, pyramid.look_at
    else:
        rows = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in pyramid])
    gathered: list[_Gradient] = []
    return PyramidRows(
        rows=cast(Tensor, _Rows.apply(rows, gathered)) if rows.requires_grad else rows,
        levels=_describe_levels(pyramid),
        gathered=gathered,
        look_at=look_at,
    )


def roi_align_pyramid(
    pyramid: PyramidRows, boxes: Tensor, images: Tensor, side: int, sampling_ratio: int
) -> Tensor:
    """Features of boxes on an S x S grid.

    Args:
        pyramid: C channels.
        boxes: (N, 4), x1 y1 x2 y2 in pixels of the network's input. No gradient flows into them.
        images: (N,) int64, which image each box lies in.
        side: S.
        sampling_ratio: samples along each side of a bin; one for all that a pyramid learns from.

    Returns:
        (N, S * S, C), positions in row-major order, in the pyramid's dtype.
    """
    # Boxes of a model that has diverged are no indices; its loss is what reports the trouble.
    boxes = boxes.detach().float().nan_to_num()
    chosen = _levels_of(boxes, pyramid.levels)
    sizes, starts, strides = chosen[:, :2], chosen[:, 2], chosen[:, 3]
    places, shares = _corners(boxes, sizes, strides, side, sampling_ratio)
    if pyramid.look_at is not None:
        of_finest = (strides == STRIDES[0]).nonzero()[:, 0]
        seen = places[of_finest].flatten(2)  # (N', 2, S * 2r)
        pyramid.look_at(images[of_finest], seen.amin(dim=2), seen.amax(dim=2))
    columns, widths = places[:, 0], sizes[:, :1, None]
    rows = places[:, 1] * widths + (starts + images * sizes.prod(dim=1))[:, None, None]
    # Each bin's 2r rows with its 2r columns. They are repeated first, for broadcasting over as few
    # as 2r numbers is slow.
    reach = 2 * sampling_ratio
    rows, row_shares = rows.repeat_interleave(reach, 2), shares[:, 1].repeat_interleave(reach, 2)
    columns, column_shares = columns.repeat(1, 1, reach), shares[:, 0].repeat(1, 1, reach)
    cells = rows.int()[:, :, None] + columns.int()[:, None]  # (N, S, S, (2r)^2)
    weights = (row_shares[:, :, None] * column_shares[:, None]).to(pyramid.rows.dtype)
    pooled: Tensor = _WeightedSums.apply(
        pyramid.rows, cells.flatten(0, 2), weights.flatten(0, 2), pyramid.gathered
    )
    return pooled.view(boxes.shape[0], side * side, pyramid.rows.shape[1])


class _Gradient(NamedTuple):
    """What P bins have to say to the rows that they are sums of.

    of_bins: (P, C).
    cells, weights: (P, (2r)^2), the rows and their shares in each bin.
    """

    of_bins: Tensor
    cells: Tensor
    weights: Tensor


class _WeightedSums(torch.autograd.Function):
    """Of R rows, the sums of a few for each of P bins; no gradient flows into the weights.

    What the rows are to learn is left for `_Rows`.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, cells: Tensor, weights: Tensor, gathered: list[_Gradient]
    ) -> Tensor:
        """(P, C) from rows (R, C), cells (P, (2r)^2) in [0, R), and their weights."""
        ctx.save_for_backward(cells, weights)
        ctx.gathered = gathered
        return F.embedding_bag(cells, rows.detach(), mode="sum", per_sample_weights=weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None, None]:
        """Takes (P, C), of the bins."""
        ctx.gathered.append(_Gradient(gradient, *ctx.saved_tensors))
        return None, None, None, None


class _Rows(torch.autograd.Function):
    """The rows themselves; they learn at once from all bins that were ever made of them.

    The gradient of a row is a weighted sum, too: of the bins' gradients. Written as one, it is two
    to four times as fast as PyTorch's own and adds up bfloat16 in float32; and the rows, most of
    which are in no bin, are written once instead of once for each stage, head and sum of these.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, gathered: list[_Gradient]) -> Tensor:
        """(R, C) of (R, C)."""
        ctx.gathered, ctx.num_rows = gathered, len(rows)
        ctx.set_materialize_grads(False)
        return rows.view_as(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, None]:
        """(R, C) from what was left by `_WeightedSums`, and what came in other ways."""
        if not ctx.gathered:
            return gradient, None
        taps = ctx.gathered[0].cells.shape[1]
        assert all(part.cells.shape[1] == taps for part in ctx.gathered), "of one sampling ratio"
        of_bins = torch.cat([part.of_bins for part in ctx.gathered])
        weights = torch.cat([part.weights.flatten() for part in ctx.gathered])
        cells, order = torch.cat([part.cells.flatten() for part in ctx.gathered]).sort(stable=True)
        every_row = torch.arange(ctx.num_rows, dtype=cells.dtype, device=cells.device)
        found = F.embedding_bag(
            order // taps,
            of_bins,
            torch.searchsorted(cells, every_row),
            mode="sum",
            per_sample_weights=weights[order],
        )
        ctx.gathered.clear()
        return found if gradient is None else found + gradient, None


def _describe_levels(pyramid: Sequence[Tensor]) -> Tensor:
    """`PyramidRows.levels`, computed where they are wanted: a GPU would be waited for otherwise."""
    num_images, _, *finest = pyramid[0].shape
    scale = 2 ** torch.arange(len(STRIDES), device=pyramid[0].device)
    height, width = ((scale + side - 1) // scale for side in finest)
    cells = num_images * height * width
    return torch.stack([width, height, cells.cumsum(0) - cells, STRIDES[0] * scale], dim=1)


def _levels_of(boxes: Tensor, levels: Tensor) -> Tensor:
    """Of each of N boxes the level that it is pooled from; (N, 4), a row of `levels` each."""
    # Sides of boxes that diverged may be infinite; times 0 that is no number, and no level.
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1).nan_to_num().sqrt()
    level = (sides / FINEST_LEVEL_SIDE + 1e-6).log2().floor().clamp(0, len(STRIDES) - 1)
    return levels[level.long()]


def _corners(
    boxes: Tensor, sizes: Tensor, strides: Tensor, side: int, sampling_ratio: int
) -> tuple[Tensor, Tensor]:
    """Along x and y: (N, 2, S, 2r) cells and weights of the samples of each bin.

    Samples more than one cell outside the map count as zero, those at its rim take the rim's value.
    """
    low, high = (boxes / strides[:, None])[..., None].split(2, dim=1)  # (N, 2, 1)
    steps = torch.arange(side * sampling_ratio, device=boxes.device) + 0.5
    position = low - 0.5 + steps * ((high - low) / (side * sampling_ratio))
    ends = sizes[..., None]
    inside = (position >= -1) & (position <= ends)
    last = ends - 1
    position = position.clamp(min=0).minimum(last)
    lower = position.floor()
    upper_share = position - lower
    weights = torch.stack([1 - upper_share, upper_share], dim=-1) * inside[..., None]
    lower = lower.long()
    cells = torch.stack([lower, (lower + 1).minimum(last)], dim=-1)
    shape = (boxes.shape[0], 2, side, 2 * sampling_ratio)
    return cells.reshape(shape), weights.reshape(shape) / sampling_ratio
