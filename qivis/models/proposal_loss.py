"""Training the dense head of featurized queries: which location learns which object.

Assignment as SimOTA (YOLOX, section 2.1): an object takes as many of its cheapest locations as the
overlaps of its best boxes add up to. Classes learn the overlap itself (quality focal loss).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
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
    annotated, labels = _padded([t.boxes for t in targets]), _padded([t.labels for t in targets])
    images, locations, objects, overlaps = assign(dense, annotated, labels)
    quality = torch.zeros_like(dense.logits)
    quality[images, locations, labels[images, objects]] = overlaps
    counted = ~_inside(dense.centres, _padded(ignored)).any(dim=1)  # (B, L)
    counted[images, locations] = True
    classes = quality_focal_loss(dense.logits, quality) * counted[..., None]
    giou = generalized_box_iou_loss(dense.boxes[images, locations], annotated[images, objects])
    learning = giou.new_tensor(float(len(giou)))
    return {
        "class": weights.proposal_class
        * classes.sum()
        / mean_over_ranks(overlaps.sum()).clamp(min=1),
        "giou": weights.proposal_giou * giou.sum() / mean_over_ranks(learning).clamp(min=1),
    }


@torch.no_grad()
def assign(dense: DenseProposals, annotated: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Which locations learn which objects.

    Args:
        dense: L locations of B images.
        annotated: (B, N, 4), the objects' boxes, one at least; without area it is no object.
        labels: (B, N) int64.

    Returns:
        (P,) images, (P,) locations, (P,) objects, (P,) overlaps of the predicted with the annotated
        boxes.
    """
    overlaps: Tensor = torch.vmap(box_iou)(annotated, dense.boxes)  # (B, N, L)
    near = _near(dense.centres, dense.strides, annotated)
    cost = (
        focal_cost(dense.logits, labels).mT
        - IOU_COST * (overlaps + 1e-8).log()
        + OUTSIDE_COST * ~near
    )
    most = min(TOP_OVERLAPS, cost.shape[2])
    wanted = overlaps.topk(most).values.sum(dim=2).int().clamp(min=1)  # (B, N), at most as many
    cheapest = cost.topk(most, largest=False).indices
    is_wanted = torch.arange(most, device=cost.device) < wanted[..., None]
    taken = torch.zeros_like(near).scatter_(2, cheapest, is_wanted)
    taken &= near  # an object that holds no location is learned by none
    # A location that two objects want learns the cheaper one.
    images, locations = taken.any(dim=1).nonzero(as_tuple=True)
    objects = torch.where(taken, cost, torch.inf)[images, :, locations].argmin(dim=1)
    return images, locations, objects, overlaps[images, objects, locations]


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """B of (N, ...) to (B, N, ...) with zeros, one row at least: no object is no special case."""
    padded: Tensor = pad_sequence([*rows, rows[0].new_zeros(1, *rows[0].shape[1:])], True)
    return padded[:-1]


def _near(centres: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """(B, N, L): whether a location lies in an object's box and near its centre."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    offset = (centres - middle[:, :, None]).abs().amax(dim=-1)
    return _inside(centres, boxes) & (offset < CENTRE_RADIUS * strides)


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """(L, 2) points and (B, N, 4) boxes to (B, N, L): whether the point lies in the box."""
    boxes = boxes[:, :, None]
    return ((centres > boxes[..., :2]) & (centres < boxes[..., 2:])).all(dim=-1)
