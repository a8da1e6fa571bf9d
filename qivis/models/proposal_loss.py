"""Training the dense head of featurized queries: which location learns which object.

Assignment as SimOTA (YOLOX, section 2.1): an object takes as many of its cheapest locations as the
overlaps of its best boxes add up to. Classes learn the overlap itself (quality focal loss).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou_loss

from qivis.config.schema import LossConfig
from qivis.models.distributed_mean import mean_over_ranks
from qivis.models.outputs import DenseProposals
from qivis.ops.losses import focal_cost, quality_focal_loss
from qivis.structures import Targets

CENTRE_RADIUS = 2.5  # strides; locations this near an object's centre are candidates
IOU_COST = 3.0
OUTSIDE_COST = 1e5  # outside the box or away from the centre: ranks after all that are not
TOP_OVERLAPS = 10  # boxes whose overlaps are added up to the number of locations


def proposal_losses(
    dense: DenseProposals,
    targets: Sequence[Targets],
    ignored: Sequence[Tensor],
    weights: LossConfig,
) -> dict[str, Tensor]:
    """Class and box loss of the dense head.

    Args:
        dense: for B images.
        targets: B entries, in input pixels.
        ignored: B of (R, 4); locations in them that learn no object are not counted wrong.
        weights: of the losses.

    Returns:
        `class`, divided by the summed overlaps, and `giou`, by the number of locations that learn
        an object; weighted scalars.
    """
    losses = [
        _image_losses(dense, image, target, regions)
        for image, (target, regions) in enumerate(zip(targets, ignored, strict=True))
    ]
    classes, boxes, overlaps, learning = (
        torch.stack(terms).sum() for terms in zip(*losses, strict=True)
    )
    return {
        "class": weights.proposal_class * classes / mean_over_ranks(overlaps).clamp(min=1),
        "giou": weights.proposal_giou * boxes / mean_over_ranks(learning).clamp(min=1),
    }


@torch.no_grad()
def assign(
    logits: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, target: Targets
) -> tuple[Tensor, Tensor, Tensor]:
    """Which locations of one image learn which objects.

    Args:
        logits: (L, K).
        boxes: (L, 4), predicted, x1 y1 x2 y2 in input pixels.
        centres: (L, 2), x y.
        strides: (L,).
        target: N objects.

    Returns:
        (P,) locations, (P,) objects, (P,) overlaps of the predicted with the annotated boxes.
    """
    overlaps = box_iou(boxes, target.boxes)  # (L, N)
    near = _near(centres, strides, target.boxes)
    cost = (
        focal_cost(logits, target.labels)
        - IOU_COST * (overlaps + 1e-8).log()
        + OUTSIDE_COST * ~near
    )
    top = overlaps.topk(min(TOP_OVERLAPS, len(boxes)), dim=0).values
    wanted = top.sum(dim=0).int().clamp(min=1)  # (N,)
    order = cost.argsort(dim=0)
    rank = torch.empty_like(order).scatter_(
        0, order, torch.arange(len(cost), device=cost.device)[:, None].expand_as(order)
    )
    taken = (rank < wanted) & near  # an object that holds no location is learned by none
    # A location that two objects want learns the cheaper one.
    cheapest = torch.where(taken, cost, torch.inf)
    locations = taken.any(dim=1).nonzero().squeeze(1)
    objects = cheapest[locations].argmin(dim=1) if len(target) else locations
    return locations, objects, overlaps[locations, objects]


def _image_losses(
    dense: DenseProposals, image: int, target: Targets, regions: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Summed class and box losses, summed overlaps, and the number of learning locations."""
    logits, boxes = dense.logits[image], dense.boxes[image]
    locations, objects, overlaps = assign(
        logits.detach(), boxes.detach(), dense.centres, dense.strides, target
    )
    quality = torch.zeros_like(logits)
    quality[locations, target.labels[objects]] = overlaps
    counted = ~_inside(dense.centres, regions).any(dim=1)
    counted[locations] = True
    classes = quality_focal_loss(logits, quality) * counted[:, None]
    giou = generalized_box_iou_loss(boxes[locations], target.boxes[objects])
    return classes.sum(), giou.sum(), overlaps.sum(), logits.new_tensor(float(len(locations)))


def _near(centres: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """(L, N): whether a location lies in an object's box and near its centre."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    offset = (centres[:, None] - middle).abs().amax(dim=-1)  # (L, N)
    return _inside(centres, boxes) & (offset < CENTRE_RADIUS * strides[:, None])


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """(L, 2) points and (N, 4) boxes to (L, N): whether the point lies in the box."""
    return ((centres[:, None] > boxes[:, :2]) & (centres[:, None] < boxes[:, 2:])).all(dim=-1)
