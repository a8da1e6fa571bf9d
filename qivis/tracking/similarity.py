"""How alike each detection of a frame and each track are: by looks and place, or by masks alone.

What looks are is the model's affair: a learned embedding, or, without any video training, the query
of the last stage, which changes little from frame to frame (the idea of MinVIS).
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from qivis.tracking.affinity import bi_softmax, box_iou, grown
from qivis.tracking.mask_grids import grid_iou
from qivis.tracking.memory import TrackMemory
from qivis.tracking.sightings import Sightings

BOX_MARGIN = 0.5  # share of its side by which a box is grown on each side before it is compared
BLIND_OVERLAP = 0.2  # what the place says of a track that has been unseen for long: little

Similarity = Callable[[Sightings, TrackMemory], Tensor]  # (N, M) in [0, 1]


@dataclass(frozen=True)
class LooksAndPlace:
    """Looks and place together, made sharper by rivalry.

    The place is the overlap with where the track is expected. The longer the track is unseen, the
    less the overlap says, one way or the other: then the looks decide.

    appearance_weight: share of the cosine of the embeddings; the rest is the place's.
    temperature: of the rivalry between pairs; see `bi_softmax`.
    place_frames: after each so many frames unseen, the place says half as much.
    birth_score: a detection below it is weak: it may carry a track on where it was, but not bring
        one back, for noise looks like anything. ByteTrack's second round, too, matches weak
        detections by place.
    recent_frames: a track that is unseen for longer can no longer be carried on by a weak one.
    """

    appearance_weight: float
    temperature: float
    place_frames: float
    birth_score: float
    recent_frames: int

    def __call__(self, sightings: Sightings, memory: TrackMemory) -> Tensor:
        """Low for an unlike pair, even for a lone one.

        Args:
            sightings: N of a frame.
            memory: M tracks, moved on to this frame.

        Returns:
            (N, M) in [0, 1].
        """
        looks = sightings.looks @ memory.looks.T  # cosines: all of them have length 1
        overlap = box_iou(grown(sightings.boxes, BOX_MARGIN), grown(memory.boxes, BOX_MARGIN))
        trust = 0.5 ** ((memory.ages - 1) / self.place_frames)
        place = trust * overlap + (1 - trust) * BLIND_OVERLAP
        alike = self.appearance_weight * looks + (1 - self.appearance_weight) * place
        is_strong = (sightings.scores >= self.birth_score)[:, None]
        may_continue = is_strong | ((overlap > 0) & (memory.ages <= self.recent_frames))
        return alike.clamp(min=0) * bi_softmax(alike, self.temperature) * may_continue


def mask_similarity(sightings: Sightings, memory: TrackMemory, least: float) -> Tensor:
    """IoU of the masks and of those that the tracks had when last seen: no looks and no motion.

    The baseline that every other way has to beat.

    Args:
        sightings: N of a frame.
        memory: M tracks.
        least: pairs that cannot be as similar are left at 0.

    Returns:
        (N, M) in [0, 1].
    """
    return grid_iou(sightings.grids, sightings.boxes, memory.seen_grids, memory.seen_boxes, least)
