"""From the last stage's outputs to detections in the original pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qivis.models.outputs import Chosen, Prediction
from qivis.models.queryinst import QueryInst
from qivis.models.ranking import Pairs, best_pairs, judge_masks
from qivis.ops.boxes import scale_boxes
from qivis.ops.masks import paste_masks
from qivis.structures import Detections


@torch.no_grad()
def select_detections(
    model: QueryInst,
    prediction: Prediction,
    frame_sizes: Sequence[tuple[int, int]],
    *,
    score_threshold: float,
    max_detections: int,
    learned_embeddings: bool = True,
) -> list[Detections]:
    """The best (query, class) pairs of each image, and the masks of only these.

    A query may be chosen with several classes; each has the mask channel of its own class
    (mmdetection SparseRoIHead.predict_mask). Which are the best is `ranking`'s business.

    Args:
        model: that made the prediction.
        prediction: for B images.
        frame_sizes: B of (H, W), the pictures before they were resized.
        score_threshold: pairs with a lower score are dropped; 0 keeps all.
        max_detections: pairs kept in an image.
        learned_embeddings: whether embeddings come from the association head, if there is one;
            else they are the queries of the last stage.

    Returns:
        B entries, best score first, in pixels of `frame_sizes`.
    """
    found = best_pairs(prediction, score_threshold=score_threshold, max_detections=max_detections)
    masks = _class_masks(model, prediction, found)
    if prediction.initial.proposed:
        judged = [
            judge_masks(pairs, of_image, score_threshold)
            for pairs, of_image in zip(found, masks, strict=True)
        ]
        found, masks = [pairs for pairs, _ in judged], [of_image for _, of_image in judged]
    embeddings = _embeddings(model, prediction, found, learned_embeddings)
    detections = []
    for image, pairs in enumerate(found):
        old, new = prediction.sizes[image], frame_sizes[image]
        boxes = prediction.stages[-1].boxes[image, pairs.queries].float()
        boxes = scale_boxes(boxes, old, new)
        detections.append(
            Detections(
                size=new,
                boxes=boxes,
                labels=pairs.labels,
                scores=pairs.scores,
                masks=paste_masks(masks[image], boxes, new),
                embeddings=embeddings[image],
            )
        )
    return detections


def _embeddings(
    model: QueryInst, prediction: Prediction, found: Sequence[Pairs], learned: bool
) -> list[Tensor]:
    """B of (N, E), of the chosen queries."""
    if learned and model.association is not None:
        embedded = model.embeddings(prediction, _chosen(found)).float()
        return list(torch.split(embedded, [len(pairs.queries) for pairs in found]))
    queries = prediction.stages[-1].queries.float()
    return [rows[pairs.queries] for rows, pairs in zip(queries, found, strict=True)]


def _class_masks(model: QueryInst, prediction: Prediction, found: Sequence[Pairs]) -> list[Tensor]:
    """B of (N, M, M) probabilities: of each chosen query, the mask of its class."""
    last, labels = len(prediction.stages) - 1, torch.cat([pairs.labels for pairs in found])
    logits = model.mask_logits(prediction, last, _chosen(found), labels)
    return list(torch.split(logits.float().sigmoid(), [len(pairs.labels) for pairs in found]))


def _chosen(found: Sequence[Pairs]) -> Chosen:
    return Chosen.of([pairs.queries for pairs in found])
