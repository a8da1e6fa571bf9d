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
from qivis.ops.masks import crop_masks
from qivis.structures import Targets

SHIELDED_SHARE = 0.5  # a query this far inside an ignored region is not counted wrong


def box_losses(
    output: StageOutput,
    matches: Sequence[Match],
    targets: Sequence[Targets],
    ignored: Sequence[Tensor],
    weights: LossConfig,
) -> dict[str, Tensor]:
    """Class and box losses of one stage.

    Args:
        output: of B images.
        matches, targets: B entries.
        ignored: B of (R, 4), regions in which an unmatched query is not counted wrong.
        weights: of the losses.

    Returns:
        `class`, `l1` and `giou`, weighted scalars; each divided by the number of matches.
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
    predicted = matched_boxes(boxes, matches)
    annotated = torch.cat([t.boxes[m.objects] for t, m in zip(targets, matches, strict=True)])
    grids = torch.cat(
        [
            boxes.new_tensor([[*target.size[::-1], *target.size[::-1]]]).expand(len(m.objects), 4)
            for target, m in zip(targets, matches, strict=True)
        ]
    )
    count = mean_over_ranks(predicted.new_tensor(float(len(predicted)))).clamp(min=1)
    return {
        "class": weights.focal * (focal * counted[..., None]).sum() / count,
        "l1": weights.l1 * ((predicted - annotated) / grids).abs().sum() / count,
        "giou": weights.giou * generalized_box_iou_loss(predicted, annotated).sum() / count,
    }


def mask_loss(
    mask_logits: Tensor,
    boxes: Tensor,
    matches: Sequence[Match],
    targets: Sequence[Targets],
    weight: float,
) -> Tensor:
    """Dice loss of the drawn masks against the annotated ones, cut out by the predicted boxes.

    Args:
        mask_logits: (P, K, M, M), of the matched queries, image after image.
        boxes: (B, Q, 4), of the stage that drew them.
        matches, targets: B entries.
        weight: of the loss.
    """
    labels = torch.cat([t.labels[m.objects] for t, m in zip(targets, matches, strict=True)])
    drawn = mask_logits[torch.arange(len(labels), device=labels.device), labels]
    annotated = torch.cat(
        [
            crop_masks(
                target.masks,
                clip_boxes(rows[found.queries].detach().float(), target.size),
                found.objects,
                mask_logits.shape[-1],
            )
            for rows, found, target in zip(boxes, matches, targets, strict=True)
        ]
    )
    count = mean_over_ranks(annotated.new_tensor(float(len(annotated)))).clamp(min=1)
    return weight * dice_loss(drawn.float().sigmoid(), annotated).sum() / count


def matched_boxes(boxes: Tensor, matches: Sequence[Match]) -> Tensor:
    """(B, Q, 4) to the (P, 4) boxes of matched queries, image after image."""
    return torch.cat([rows[found.queries] for rows, found in zip(boxes, matches, strict=True)])
