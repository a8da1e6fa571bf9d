"""Which query answers for which object: minimum-cost bipartite matching, stage by stage."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import generalized_box_iou

from qivis.models.outputs import Match, StageOutput
from qivis.ops.losses import focal_cost
from qivis.structures import Targets


@torch.no_grad()
def match(
    output: StageOutput, targets: Sequence[Targets], weights: tuple[float, float, float]
) -> list[Match]:
    """Match the queries of one stage with the objects of each image (QueryInst, section 3.2).

    Args:
        output: one stage, for B images.
        targets: B entries, in input pixels.
        weights: of the focal, L1 and GIoU costs.

    Returns:
        B entries; each object has a query of its own, as long as there are enough queries.
    """
    logits, boxes = output.logits.float(), output.boxes.float()
    return [
        _solve(_cost(logits[image], boxes[image], target, weights))
        for image, target in enumerate(targets)
    ]


def _cost(
    logits: Tensor, boxes: Tensor, target: Targets, weights: tuple[float, float, float]
) -> Tensor:
    """(Q, N), what it costs to match each query with each object."""
    height, width = target.size
    grid = boxes.new_tensor([width, height, width, height])
    focal, l1, giou = weights
    overlaps: Tensor = generalized_box_iou(boxes, target.boxes)
    return (
        focal * focal_cost(logits, target.labels)
        + l1 * torch.cdist(boxes / grid, target.boxes / grid, p=1)
        - giou * overlaps
    )


def _solve(cost: Tensor) -> Match:
    # A model that has diverged still gets some matching; its loss is what reports the trouble.
    finite = torch.nan_to_num(cost.cpu(), nan=1e6, posinf=1e6, neginf=-1e6)
    queries, objects = linear_sum_assignment(finite.numpy())
    return Match(
        queries=torch.as_tensor(queries, dtype=torch.int64, device=cost.device),
        objects=torch.as_tensor(objects, dtype=torch.int64, device=cost.device),
    )
