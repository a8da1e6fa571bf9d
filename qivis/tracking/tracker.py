"""Online association: one `Tracker` per video, one `update` per frame.

Needs no video training: queries of one object look alike in neighbouring frames (the idea of
MinVIS). Knows nothing of networks: what it needs of a detection is its embedding, box and mask.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from qivis.config.schema import TrackingConfig
from qivis.structures import Detections, TrackedDetections
from qivis.tracking.affinity import (
    bi_softmax,
    buffered_box_iou,
    cosine,
    distinct,
    match_greedily,
)
from qivis.tracking.memory import TrackMemory, advance, extend, newborn, refresh

BOX_MARGIN = 0.5  # share of its side by which a box is grown on each side before it is compared
RECENT_FRAMES = 5  # a track that is unseen for longer has to be found again by a strong detection
BLIND_OVERLAP = 0.2  # what the place says of a track that has been unseen for long: little

Similarity = Callable[[Detections, TrackMemory], Tensor]


class Tracker:
    """Names the objects of one video, frame by frame.

    similarity: (N, M) in [0, 1] of detections and tracks.
    keep_score: detections below it are not looked at; from here on they may continue a track.
    birth_score: from here on they may start one.
    duplicate_iou: a detection whose mask overlaps a better one's by more is dropped.
    match_similarity: less than this is no match.
    memory_frames: an object that is unseen for longer gets a new identity.
    """

    def __init__(
        self,
        *,
        similarity: Similarity,
        keep_score: float,
        birth_score: float,
        duplicate_iou: float,
        match_similarity: float,
        memory_frames: int,
    ) -> None:
        self._similarity = similarity
        self._keep_score = keep_score
        self._birth_score = birth_score
        self._duplicate_iou = duplicate_iou
        self._match_similarity = match_similarity
        self._memory_frames = memory_frames
        self._memory: TrackMemory | None = None  # until the first frame
        self._next_id = 0

    def update(self, detections: Detections) -> TrackedDetections:
        """Name the objects of the next frame.

        Args:
            detections: in any order, on any device.

        Returns:
            Those that belong to a track, best score first, on the same device. A track's label is
            the class with most evidence so far, not that of the single frame.
        """
        rows = self._worth_naming(detections)
        seen = _without_masks(detections)[rows]
        memory = newborn(seen[:0], 0) if self._memory is None else self._memory
        memory = advance(memory, self._memory_frames)
        similarity = self._similarity(seen, memory) * _may_continue(seen, memory, self._birth_score)
        owners = match_greedily(similarity, self._match_similarity)
        born = (owners < 0) & (seen.scores >= self._birth_score)
        number = int(born.sum())
        owners[born] = torch.arange(len(memory), len(memory) + number)
        named = owners >= 0
        memory = extend(memory, seen[born], self._next_id)
        memory = refresh(memory, owners[named], seen[named])
        self._memory, self._next_id = memory, self._next_id + number
        return _name(detections, rows[named], memory[owners[named]])

    def _worth_naming(self, detections: Detections) -> Tensor:
        """(P,) int64 on the CPU, rows of presentable, distinct detections, best score first."""
        scores = detections.scores.cpu()
        rows = scores.argsort(descending=True, stable=True)
        rows = rows[scores[rows] >= self._keep_score]
        masks = detections.masks.cpu()
        return distinct(rows, detections.boxes.cpu(), masks, self._duplicate_iou)


def build_tracker(config: TrackingConfig) -> Tracker:
    """A tracker for one video."""
    return Tracker(
        similarity=partial(
            query_similarity,
            appearance_weight=config.appearance_weight,
            temperature=config.temperature,
            place_frames=config.place_frames,
        ),
        keep_score=min(config.keep_score, config.birth_score),
        birth_score=config.birth_score,
        duplicate_iou=config.duplicate_iou,
        match_similarity=config.match_similarity,
        memory_frames=config.memory_frames,
    )


def query_similarity(
    detections: Detections,
    memory: TrackMemory,
    *,
    appearance_weight: float,
    temperature: float,
    place_frames: float,
) -> Tensor:
    """Looks and place together, made sharper by rivalry.

    The place is the overlap with where the track is expected. The longer the track is unseen, the
    less the overlap says, one way or the other: then the looks decide.

    Args:
        detections: N of a frame.
        memory: M tracks, moved on to this frame.
        appearance_weight: share of the cosine of the embeddings; the rest is the place's.
        temperature: of the rivalry between pairs; see `bi_softmax`.
        place_frames: after each so many frames unseen, the place says half as much.

    Returns:
        (N, M) in [0, 1]. Low for an unlike pair, even for a lone one.
    """
    looks = cosine(detections.embeddings, memory.embeddings)
    overlap = buffered_box_iou(detections.boxes, memory.boxes, BOX_MARGIN)
    trust = 0.5 ** ((memory.ages - 1) / place_frames)
    place = trust * overlap + (1 - trust) * BLIND_OVERLAP
    alike = appearance_weight * looks + (1 - appearance_weight) * place
    return alike.clamp(min=0) * bi_softmax(alike, temperature)


def _may_continue(detections: Detections, memory: TrackMemory, birth_score: float) -> Tensor:
    """(N, M) bool: a weak detection may carry a track on where it was, but not bring one back.

    Noise looks like anything. ByteTrack's second round, too, matches weak detections by place.
    """
    is_strong = (detections.scores >= birth_score)[:, None]
    is_near = buffered_box_iou(detections.boxes, memory.boxes, BOX_MARGIN) > 0
    return is_strong | (is_near & (memory.ages <= RECENT_FRAMES))


def _without_masks(detections: Detections) -> Detections:
    """The same rows on the CPU with masks of no pixel: association copies rows again and again."""
    return replace(detections, masks=detections.masks[:, :0, :0]).to("cpu")


def _name(detections: Detections, rows: Tensor, tracks: TrackMemory) -> TrackedDetections:
    device = detections.boxes.device
    if not torch.equal(rows, torch.arange(len(detections))):  # choosing copies the masks
        detections = detections[rows.to(device)]
    fields = {**vars(detections), "labels": tracks.labels.to(device)}
    return TrackedDetections(**fields, track_ids=tracks.track_ids.to(device))
