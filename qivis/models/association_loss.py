"""Learning embeddings: one object's are alike in all frames of a clip, different ones' are not.

P anchors of one frame are compared with R candidates of another.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MASKED = -1e4  # next to any similarity as good as -inf, but its gradient is 0 and not undefined
MOST_NEGATIVES = 10  # of an anchor in the cosine loss, the most alike ones (IDOL: 10 per positive)


def contrastive_loss(similarity: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """log(1 + sum over positives and negatives of exp(v k- - v k+)), the mean over anchors.

    (IDOL, arXiv 2207.10661, eq. 3, after QDTrack.) Anchors without a positive, objects that the
    other frame does not show, do not count.

    Args:
        similarity: (P, R), dot products.
        positive: (P, R) bool, candidates that are the anchor's object.
        negative: (P, R) bool, candidates that are not; those that are neither do not count.
    """
    unlike_positive = torch.where(positive, -similarity, MASKED).logsumexp(dim=1)
    like_negative = torch.where(negative, similarity, MASKED).logsumexp(dim=1)
    shown = positive.any(dim=1)
    # The double sum is a product. An anchor without any negative costs softplus(MASKED) = 0.
    summed = F.softplus(unlike_positive[shown] + like_negative[shown]).sum()
    loss: Tensor = summed / shown.sum().clamp(min=1)
    return loss


def cosine_loss(cosines: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Cosines are drawn to 1 for positives and down to 0 for negatives (IDOL, auxiliary loss).

    Of an anchor's negatives the most alike count, so that they do not drown the positives. Objects
    that the other frame does not show have negatives only.

    Args:
        cosines: (P, R) in [-1, 1].
        positive, negative: (P, R) bool, as in `contrastive_loss`.
    """
    of_positives = ((1 - cosines).square() * positive).sum() / positive.sum().clamp(min=1)
    alike = torch.where(negative, cosines, 0.0).clamp(min=0)
    worst = alike.topk(min(MOST_NEGATIVES, alike.shape[1]), dim=1).values
    return of_positives + worst.square().sum() / max(worst.numel(), 1)


def track_match_loss(similarity: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy over the other frame's objects and `none of them` (MaskTrack R-CNN, eq. 2).

    Args:
        similarity: (P, N), dot products of P objects of one frame and N of another.
        same: (P, N) bool, at most one per row.
    """
    none_of_them = similarity.new_zeros(len(similarity), 1)
    logits = torch.cat([none_of_them, similarity], dim=1)
    targets = torch.cat([~same.any(dim=1, keepdim=True), same], dim=1).int().argmax(dim=1)
    summed: Tensor = F.cross_entropy(logits, targets, reduction="sum")
    return summed / max(len(similarity), 1)
