"""From the last stage's outputs to detections in the original pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qivis.models.outputs import Match, Prediction
from qivis.models.queryinst import QueryInst
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
    (mmdetection SparseRoIHead.predict_mask). There is no NMS.

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
    last = prediction.stages[-1]
    scores = last.logits.float().sigmoid().flatten(1)  # (B, Q * K)
    num_classes = last.logits.shape[-1]
    best, indices = scores.topk(min(max_detections, scores.shape[1]))
    kept = best >= score_threshold
    chosen = [row[keep] for row, keep in zip(indices, kept, strict=True)]
    queries = [row // num_classes for row in chosen]
    labels = [row % num_classes for row in chosen]
    matches = [Match(rows, torch.arange(len(rows), device=rows.device)) for rows in queries]
    masks = _class_masks(model, prediction, matches, labels)
    embeddings = _embeddings(model, prediction, matches, learned_embeddings)
    detections = []
    for image, (old, new) in enumerate(zip(prediction.sizes, frame_sizes, strict=True)):
        boxes = scale_boxes(last.boxes[image, queries[image]].float(), old, new)
        detections.append(
            Detections(
                size=new,
                boxes=boxes,
                labels=labels[image],
                scores=best[image][kept[image]],
                masks=paste_masks(masks[image], boxes, new),
                embeddings=embeddings[image],
            )
        )
    return detections


def _embeddings(
    model: QueryInst, prediction: Prediction, matches: Sequence[Match], learned: bool
) -> tuple[Tensor, ...]:
    """B of (N, E), of the chosen queries."""
    if learned and model.association is not None:
        counts = [len(match.queries) for match in matches]
        return torch.split(model.embeddings(prediction, matches).float(), counts)
    queries = prediction.stages[-1].queries.float()
    return tuple(rows[found.queries] for rows, found in zip(queries, matches, strict=True))


def _class_masks(
    model: QueryInst, prediction: Prediction, matches: Sequence[Match], labels: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """B of (N, M, M) probabilities: of each chosen query, the mask of its class."""
    logits = model.mask_logits(prediction, len(prediction.stages) - 1, matches)
    channels = torch.cat(list(labels))
    drawn = logits[torch.arange(len(channels), device=channels.device), channels]
    counts = [len(rows) for rows in labels]
    return tuple(torch.split(drawn.float().sigmoid(), counts))
