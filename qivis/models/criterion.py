"""The losses of QueryInst's stages, summed over stages (QueryInst, eq. 3)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from qivis.config.schema import LossConfig
from qivis.models.distributed_mean import mean_over_ranks
from qivis.models.outputs import Match, StageOutput
from qivis.ops.boxes import clip_boxes, covered_share
from qivis.ops.losses import FOCAL_ALPHA, FOCAL_GAMMA, dice_loss, one_hot
from qivis.ops.mask_targets import crop_masks
from qivis.structures import Targets

SHIELDED_SHARE = 0.5  # a query this far inside an ignored region is not counted wrong


def box_losses(
    boxes: Tensor, learners: Sequence[Match], targets: Sequence[Targets], weights: LossConfig
) -> dict[str, Tensor]:
    """Box losses of one stage.

    Args:
        boxes: (B, Q, 4), of the stage.
        learners, targets: B entries; which query learns which object's box.
        weights: of the losses.

    Returns:
        `l1` and `giou`, weighted scalars; each divided by the number of learners.
    """
    predicted = matched_boxes(boxes.float(), learners)
    annotated = torch.cat([t.boxes[m.objects] for t, m in zip(targets, learners, strict=True)])
    grids = torch.cat(
        [
            boxes.new_tensor([[*target.size[::-1], *target.size[::-1]]]).expand(len(m.objects), 4)
            for target, m in zip(targets, learners, strict=True)
        ]
    )
    count = mean_over_ranks(predicted.new_tensor(float(len(predicted)))).clamp(min=1)
    return {
        "l1": weights.l1 * ((predicted - annotated) / grids).abs().sum() / count,
        "giou": weights.giou * generalized_box_iou_loss(predicted, annotated).sum() / count,
    }


def class_loss(
    output: StageOutput,
    matches: Sequence[Match],
    targets: Sequence[Targets],
    ignored: Sequence[Tensor],
    weight: float,
) -> Tensor:
    """Focal loss of one stage: matched queries have their object's class, all others none.

    Args:
        output: of B images.
        matches, targets: B entries.
        ignored: B of (R, 4), regions in which an unmatched query is not counted wrong.
        weight: of the loss, which is divided by the number of matches.
    """
    logits, boxes = output.logits.float(), output.boxes.float()
    num_classes = logits.shape[-1]
    labels = torch.full(logits.shape[:2], num_classes, device=logits.device)
    counted = torch.stack(
        [
            covered_share(rows.detach(), regions) < SHIELDED_SHARE
            for rows, regions in zip(boxes, ignored, strict=True)
        ]
    )
    for image, (found, target) in enumerate(zip(matches, targets, strict=True)):
        labels[image, found.queries] = target.labels[found.objects]
        counted[image, found.queries] = True
    focal = sigmoid_focal_loss(
        logits, one_hot(labels, num_classes), alpha=FOCAL_ALPHA, gamma=FOCAL_GAMMA
    )
    total = sum(len(found.queries) for found in matches)
    count = mean_over_ranks(logits.new_tensor(float(total))).clamp(min=1)
    loss: Tensor = weight * (focal * counted[..., None]).sum() / count
    return loss


def mask_loss(
    drawn: Tensor,
    boxes: Tensor,
    learners: Sequence[Match],
    targets: Sequence[Targets],
    weight: float,
) -> Tensor:
    """Dice loss of the drawn masks against the annotated ones, cut out by the predicted boxes.

    Args:
        drawn: (P, M, M), logits of the learners, image after image, for their objects' classes.
        boxes: (B, Q, 4), of the stage that drew them.
        learners, targets: B entries; which query learns which object's mask.
        weight: of the loss.
    """
    annotated = crop_masks(
        [target.masks for target in targets],
        [
            clip_boxes(rows[found.queries], target.size)
            for rows, found, target in zip(boxes.detach(), learners, targets, strict=True)
        ],
        [found.objects for found in learners],
        drawn.shape[-1],
    )
    count = mean_over_ranks(annotated.new_tensor(float(len(annotated)))).clamp(min=1)
    return weight * dice_loss(drawn.float().sigmoid(), annotated).sum() / count


def matched_labels(targets: Sequence[Targets], matches: Sequence[Match]) -> Tensor:
    """The (P,) labels of matched objects, image after image."""
    return torch.cat([t.labels[m.objects] for t, m in zip(targets, matches, strict=True)])


def matched_boxes(boxes: Tensor, matches: Sequence[Match]) -> Tensor:
    """(B, Q, 4) to the (P, 4) boxes of matched queries, image after image."""
    return torch.cat([rows[found.queries] for rows, found in zip(boxes, matches, strict=True)])
