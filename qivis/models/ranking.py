"""Which (query, class) pairs become detections, and how sure of them the model is.

Learned queries are ranked as published: by the last stage's scores, without NMS. Featurized queries
come in clusters, as a dense head proposes them, and a few stages cannot tell which of a cluster is
the best: they are thinned out by NMS, the dense head has a say in the score (CenterNet2, Zhou et
al. 2021: the geometric mean of both), and so has the mask (Mask2Former's inference: the mean
probability of its pixels).
"""

from dataclasses import dataclass

from torch import Tensor
from torchvision.ops import batched_nms

from qivis.models.outputs import Prediction

DUPLICATE_IOU = 0.6  # of boxes of one class; better than 0.5 on training pictures
MOST_DETECTIONS = 50  # that are kept of a picture


@dataclass(frozen=True)
class Pairs:
    """Chosen (query, class) pairs of an image, best score first; all (N,)."""

    queries: Tensor
    labels: Tensor
    scores: Tensor


def best_pairs(
    prediction: Prediction, *, score_threshold: float, max_detections: int
) -> list[Pairs]:
    """The best pairs of each image.

    Args:
        prediction: for B images.
        score_threshold: pairs with a lower score are dropped; 0 keeps all. So are those of boxes
            that are not finite, which weights that diverged can bring about.
        max_detections: pairs kept in an image.

    Returns:
        B entries.
    """
    last, scores = prediction.stages[-1], pair_scores(prediction)
    num_classes = scores.shape[-1]
    is_featurized = bool(prediction.initial.proposed)
    chosen = []
    for of_image, boxes in zip(scores, last.boxes.float(), strict=True):
        # As many as are asked for may remain of all; without NMS no more need to be looked at.
        most = of_image.numel() if is_featurized else min(max_detections, of_image.numel())
        best, indices = of_image.flatten().topk(most)
        kept = (best >= score_threshold) & boxes.isfinite().all(1)[indices // num_classes]
        best, indices = best[kept], indices[kept]
        queries, labels = indices // num_classes, indices % num_classes
        if is_featurized:
            rows = batched_nms(boxes[queries], best, labels, DUPLICATE_IOU)[:max_detections]
            queries, labels, best = queries[rows], labels[rows], best[rows]
        chosen.append(Pairs(queries, labels, best))
    return chosen


def pair_scores(prediction: Prediction) -> Tensor:
    """(B, Q, K) in [0, 1]: how sure the last stage is, and the dense head where there is one."""
    scores = prediction.stages[-1].logits.float().sigmoid()
    for logits in prediction.initial.proposed:
        scores = (scores * logits.float().sigmoid()).sqrt()
    return scores


def judge_masks(pairs: Pairs, masks: Tensor, score_threshold: float) -> tuple[Pairs, Tensor]:
    """Scores that say how clear the masks are, too.

    Args:
        pairs: of an image.
        masks: (N, M, M), the probabilities of the mask of each pair.
        score_threshold: pairs with a lower score are dropped.

    Returns:
        The pairs in their new order, and their masks.
    """
    covered = masks > 0.5
    clarity = (masks * covered).sum((1, 2)) / covered.sum((1, 2)).clamp(min=1)
    scores, order = (pairs.scores * clarity).sort(descending=True, stable=True)
    order = order[scores >= score_threshold]
    judged = Pairs(pairs.queries[order], pairs.labels[order], scores[: len(order)])
    return judged, masks[order]
