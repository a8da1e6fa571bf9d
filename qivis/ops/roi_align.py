"""RoIAlign over a whole feature pyramid as one weighted gather.

Each bin is a weighted sum of a few pyramid cells, which is what `embedding_bag` computes: all
levels in one call, forward and backward, without a loop over levels or a host synchronisation.
Equal to torchvision's `roi_align(aligned=True)` on the level that FPN assigns (FPN, eq. 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDES = (4, 8, 16, 32)
FINEST_LEVEL_SIDE = 56.0  # a box of this side (px) is pooled from stride 4


@dataclass(frozen=True)
class PyramidRows:
    """A pyramid as rows of cells, level after level, image after image.

    rows: (R, C).
    shapes: (H, W) of each level.
    num_images: B.
    """

    rows: Tensor
    shapes: tuple[tuple[int, int], ...]
    num_images: int


def flatten_pyramid(pyramid: Sequence[Tensor]) -> PyramidRows:
    """Lay out a pyramid for `roi_align_pyramid`.

    Args:
        pyramid: (B, C, H, W) for each of the strides 4, 8, 16, 32.
    """
    channels = pyramid[0].shape[1]
    return PyramidRows(
        rows=torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in pyramid]),
        shapes=tuple((level.shape[2], level.shape[3]) for level in pyramid),
        num_images=pyramid[0].shape[0],
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
        sampling_ratio: samples along each side of a bin.

    Returns:
        (N, S * S, C), positions in row-major order, in the pyramid's dtype.
    """
    # Boxes of a model that has diverged are no indices; its loss is what reports the trouble.
    boxes = boxes.detach().float().nan_to_num()
    heights, widths, starts, strides = _levels(pyramid, boxes)
    rows, row_weights = _corners(boxes[:, 1], boxes[:, 3], heights, strides, side, sampling_ratio)
    columns, column_weights = _corners(
        boxes[:, 0], boxes[:, 2], widths, strides, side, sampling_ratio
    )
    offset = starts + images * heights * widths
    # (N, S, 1, 2r, 1) rows with (N, 1, S, 1, 2r) columns: (2r)^2 cells for each of S x S bins.
    cells = rows[:, :, None, :, None] * widths.view(-1, 1, 1, 1, 1) + columns[:, None, :, None, :]
    weights = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
    samples = (2 * sampling_ratio) ** 2
    pooled = F.embedding_bag(
        (cells + offset.view(-1, 1, 1, 1, 1)).reshape(-1, samples),
        pyramid.rows,
        mode="sum",
        per_sample_weights=weights.reshape(-1, samples).to(pyramid.rows.dtype),
    )
    return pooled.view(len(boxes), side * side, pyramid.rows.shape[1])


def _levels(pyramid: PyramidRows, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The level of each box as (N,) height, width, first row, and stride."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1).sqrt()
    level = (sides / FINEST_LEVEL_SIDE + 1e-6).log2().floor().clamp(0, len(STRIDES) - 1).long()
    table, first = [], 0
    for (height, width), stride in zip(pyramid.shapes, STRIDES, strict=True):
        table.append([height, width, first, stride])
        first += pyramid.num_images * height * width
    heights, widths, starts, strides = torch.tensor(table, device=boxes.device)[level].unbind(1)
    return heights, widths, starts, strides


def _corners(
    low: Tensor, high: Tensor, length: Tensor, stride: Tensor, side: int, sampling_ratio: int
) -> tuple[Tensor, Tensor]:
    """Along one axis: (N, S, 2r) cells and weights of the samples of each bin.

    Samples more than one cell outside the map count as zero, those at its rim take the rim's value.
    """
    step = (high - low) / stride / side
    samples = torch.arange(side * sampling_ratio, device=low.device) + 0.5
    position = (low / stride - 0.5)[:, None] + samples * (step / sampling_ratio)[:, None]
    last = (length - 1)[:, None]
    inside = (position >= -1) & (position <= length[:, None])
    position = position.clamp(min=0).minimum(last)
    lower = position.floor()
    upper_share = position - lower
    weights = torch.stack([1 - upper_share, upper_share], dim=-1) * inside[..., None]
    lower = lower.long()
    cells = torch.stack([lower, (lower + 1).minimum(last)], dim=-1)
    shape = (len(low), side, 2 * sampling_ratio)
    return cells.reshape(shape), weights.reshape(shape) / sampling_ratio
