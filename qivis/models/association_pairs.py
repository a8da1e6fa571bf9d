"""Who is compared with whom: the queries of each two frames of a clip, and what they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

from qivis.config.schema import LossConfig
from qivis.models.association_loss import contrastive_loss, cosine_loss, track_match_loss
from qivis.models.outputs import Match
from qivis.structures import Targets

SAME_OVERLAP = 0.6  # IoU from which a query that is not matched shows the object all the same
NOTHING_OVERLAP = 0.3  # IoU below which it shows something else; in between nobody can say
# MaskTrack R-CNN takes dot products as they are. Our tracker compares cosines, and embeddings that
# have learned by their length have cosines near 1 all over. So it is cosines here, too: one below
# UNLIKE is worse than `none of them`.
SHARPNESS, UNLIKE = 10.0, 0.5
# Ids may be any number but these two.
NO_OBJECT = torch.iinfo(torch.int64).min
UNCLEAR = NO_OBJECT + 1


@dataclass(frozen=True)
class FrameEmbeddings:
    """What a frame's queries look like, and what they show.

    embeddings: (Q, E).
    owners: (Q,) int64, the id of the object that a query shows, NO_OBJECT or UNCLEAR.
    matched: (P,) int64, the queries that are matched, one for each object.
    """

    embeddings: Tensor
    owners: Tensor
    matched: Tensor


@torch.no_grad()
def owners_of(boxes: Tensor, found: Match, targets: Targets) -> Tensor:
    """Which object each query shows.

    A matched query shows its object; another one shows the object that it overlaps most, if it does
    so clearly (IDOL, too, has several positives for an object).

    Args:
        boxes: (Q, 4).
        found: the matched queries.
        targets: N objects.

    Returns:
        (Q,) int64: ids, NO_OBJECT or UNCLEAR.
    """
    nothing = boxes.new_zeros(len(boxes), 1)  # so that no object at all is no special case
    overlaps, nearest = torch.cat([nothing, box_iou(boxes, targets.boxes)], dim=1).max(dim=1)
    ids = torch.cat([targets.ids.new_tensor([NO_OBJECT]), targets.ids])
    owners = torch.where(overlaps >= SAME_OVERLAP, ids[nearest], UNCLEAR)
    owners[overlaps < NOTHING_OVERLAP] = NO_OBJECT
    owners[found.queries] = targets.ids[found.objects]
    return owners


def association_losses(
    clips: Sequence[Sequence[FrameEmbeddings]], weights: LossConfig
) -> dict[str, Tensor]:
    """The losses of embeddings, the mean over all ordered pairs of different frames of a clip.

    Args:
        clips: each of T frames.
        weights: of the losses; one of weight 0 is left out.

    Returns:
        `association/contrastive`, `association/cosine`, `association/match`, weighted scalars.
    """
    pairs = [pair for clip in clips for pair in permutations(clip, 2)]
    device = clips[0][0].embeddings.device.type
    with torch.autocast(device, enabled=False):  # bfloat16 would round likenesses to three digits
        terms = [_pair_losses(frame, other, weights) for frame, other in pairs]
    return {
        f"association/{name}": torch.stack([term[name] for term in terms]).mean()
        for name in terms[0]
    }


def _pair_losses(
    frame: FrameEmbeddings, other: FrameEmbeddings, weights: LossConfig
) -> dict[str, Tensor]:
    anchors, ids = frame.embeddings[frame.matched], frame.owners[frame.matched]
    cosines = F.normalize(anchors, dim=1) @ F.normalize(other.embeddings, dim=1).T
    positive = ids[:, None] == other.owners
    negative = ~positive & (other.owners != UNCLEAR)
    losses = {}
    if weights.contrastive:
        similarity = anchors @ other.embeddings.T
        losses["contrastive"] = contrastive_loss(similarity, positive, negative)
    if weights.cosine:
        losses["cosine"] = cosine_loss(cosines, positive, negative)
    if weights.track_match:
        similarity = SHARPNESS * (cosines[:, other.matched] - UNLIKE)
        losses["match"] = track_match_loss(similarity, positive[:, other.matched])
    scales = {"contrastive": weights.contrastive, "cosine": weights.cosine}
    return {name: scales.get(name, weights.track_match) * loss for name, loss in losses.items()}
