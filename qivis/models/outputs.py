"""What the network's parts hand to one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from qivis.ops.roi_align import PyramidRows


@dataclass(frozen=True)
class StageOutput:
    """One refinement stage.

    logits: (B, Q, K), class logits.
    boxes: (B, Q, 4), refined boxes, x1 y1 x2 y2 in input pixels, not clipped.
    queries: (B, Q, D), what the next stage starts from.
    mask_queries: (B, Q, D), queries after self-attention, which drive the mask head (q* in the
        paper's eq. 2).
    """

    logits: Tensor
    boxes: Tensor
    queries: Tensor
    mask_queries: Tensor


@dataclass(frozen=True)
class DenseProposals:
    """What the dense head of featurized queries says of every pyramid location; L locations.

    logits: (B, L, K).
    boxes: (B, L, 4), x1 y1 x2 y2 in input pixels.
    centres: (L, 2), x y in input pixels.
    strides: (L,), pixels between neighbouring locations.
    """

    logits: Tensor
    boxes: Tensor
    centres: Tensor
    strides: Tensor


@dataclass(frozen=True)
class InitialQueries:
    """What the first stage starts from.

    boxes: (B, Q, 4), x1 y1 x2 y2 in input pixels.
    queries: (B, Q, D).
    dense: where boxes and queries were proposed by a dense head, its outputs; else empty.
    proposed: then (B, Q, K), the class logits with which they were proposed; else empty.
    """

    boxes: Tensor
    queries: Tensor
    dense: tuple[DenseProposals, ...] = ()
    proposed: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """All that the network says of a batch.

    pyramid: (B, D, H / s, W / s) for the strides s = 4, 8, 16, 32. Of the finest, an optimized
        network may have no more than boxes have looked at; the rest is undefined (`on_demand`).
    rows: the same pyramid, laid out for RoIAlign.
    initial: what the first stage started from.
    stages: one output per stage.
    sizes: B of (h, w), what each image covers of the padded input.
    """

    pyramid: tuple[Tensor, ...]
    rows: PyramidRows
    initial: InitialQueries
    stages: tuple[StageOutput, ...]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Chosen:
    """P queries of a batch, image after image.

    images: (P,) int64, in which image each is.
    queries: (P,) int64, which of the image's queries it is.
    """

    images: Tensor
    queries: Tensor

    @classmethod
    def of(cls, queries: Sequence[Tensor]) -> Self:
        """Args: queries: of each of B images those that are chosen there, any number of them."""
        images = [torch.full_like(rows, image) for image, rows in enumerate(queries)]
        return cls(torch.cat(images), torch.cat(list(queries)))


@dataclass(frozen=True)
class Match:
    """One image: query `queries[i]` answers for object `objects[i]`; both (P,) int64."""

    queries: Tensor
    objects: Tensor
