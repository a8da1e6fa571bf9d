"""Losses and pairwise costs on plain tensors (QueryInst, sections 3.2 and 4.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0  # Lin et al. 2017, section 4.1


def focal_cost(logits: Tensor, labels: Tensor) -> Tensor:
    """What it would cost in focal loss to give each query each object's class.

    Args:
        logits: (..., Q, K).
        labels: (..., N) int64.

    Returns:
        (..., Q, N): the loss as a positive minus the loss as a negative.
    """
    scores = logits.sigmoid()
    negative = -(1 - scores + 1e-12).log() * (1 - FOCAL_ALPHA) * scores**FOCAL_GAMMA
    positive = -(scores + 1e-12).log() * FOCAL_ALPHA * (1 - scores) ** FOCAL_GAMMA
    return (positive - negative).take_along_dim(labels[..., None, :], dim=-1)


def quality_focal_loss(logits: Tensor, quality: Tensor) -> Tensor:
    """Focal loss with a target between 0 and 1 (Generalized Focal Loss, eq. 3, beta 2).

    Args:
        logits: (..., K).
        quality: (..., K) in [0, 1]; the IoU of the predicted box at the object's class, else 0.

    Returns:
        (..., K).
    """
    error = (quality - logits.sigmoid()).abs()
    return error**2 * F.binary_cross_entropy_with_logits(logits, quality, reduction="none")


def dice_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """1 - Dice coefficient with squared denominators (V-Net; mmdetection DiceLoss, eps 1e-5).

    Args:
        probabilities, targets: (P, ...) in [0, 1].

    Returns:
        (P,).
    """
    probabilities, targets = probabilities.flatten(1), targets.flatten(1)
    shared = (probabilities * targets).sum(dim=1)
    total = probabilities.square().sum(dim=1) + targets.square().sum(dim=1) + 2e-5
    return 1 - 2 * shared / total


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """(...) class indices to (..., K) float32; a label of K (background) gives zeros."""
    return F.one_hot(labels, num_classes + 1)[..., :num_classes].to(torch.float32)
