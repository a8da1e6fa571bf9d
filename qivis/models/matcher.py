"""Which query answers for which object: minimum-cost bipartite matching, stage by stage."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou

from qivis.models.outputs import Match, StageOutput
from qivis.ops.losses import focal_cost
from qivis.structures import Targets

MOST_NEIGHBOURS = 10  # in an image; drawing their masks is what costs


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


@torch.no_grad()
def drop_far(
    matches: Sequence[Match], boxes: Tensor, targets: Sequence[Targets], least_overlap: float
) -> list[Match]:
    """The matches whose boxes overlap.

    Args:
        matches, targets: B entries.
        boxes: (B, Q, 4), of the stage that was matched.
        least_overlap: IoU; 0 keeps all.
    """
    kept = []
    for found, rows, target in zip(matches, boxes.float(), targets, strict=True):
        overlaps = box_iou(rows, target.boxes)[found.queries, found.objects]
        near = overlaps >= least_overlap
        kept.append(Match(found.queries[near], found.objects[near]))
    return kept


@torch.no_grad()
def add_neighbours(
    matches: Sequence[Match], boxes: Tensor, targets: Sequence[Targets], neighbour_overlap: float
) -> list[Match]:
    """The matches, and with each object the unmatched queries that overlap it most.

    Args:
        matches, targets: B entries.
        boxes: (B, Q, 4), of the stage that was matched.
        neighbour_overlap: IoU that is to be exceeded; 1 adds none.
    """
    extended = []
    for found, rows, target in zip(matches, boxes.float(), targets, strict=True):
        nothing = rows.new_zeros(len(rows), 1)  # so that no object at all is no special case
        overlaps, objects = torch.cat([nothing, box_iou(rows, target.boxes)], dim=1).max(dim=1)
        overlaps[found.queries] = 0
        best = overlaps.topk(min(MOST_NEIGHBOURS, len(rows)))
        queries = best.indices[best.values > neighbour_overlap]
        extended.append(
            Match(
                queries=torch.cat([found.queries, queries]),
                objects=torch.cat([found.objects, objects[queries] - 1]),
            )
        )
    return extended


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
