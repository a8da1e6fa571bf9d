"""Online association: one `Tracker` per video, one `update` per frame.

Knows nothing of networks: what it needs of a detection is its embedding, box and mask.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from qivis.config.schema import TrackingConfig
from qivis.structures import Detections, TrackedDetections
from qivis.tracking.affinity import match_greedily, match_together
from qivis.tracking.duplicates import stand_ins
from qivis.tracking.memory import (
    TrackMemory,
    advance,
    extend,
    likeness_to,
    newborn,
    refresh,
)
from qivis.tracking.sightings import Sightings, sight_looks, sight_masks
from qivis.tracking.similarity import LooksAndPlace, Similarity, mask_similarity
from qivis.tracking.state import TrackerState

Matching = Callable[[Tensor, float], Tensor]
MATCHINGS: Mapping[str, Matching] = {"greedy": match_greedily, "hungarian": match_together}


class Tracker:
    """Names the objects of one video, frame by frame.

    sight: what association needs of detections; see `sight_looks`.
    associate: (N,) int64, the row of the track that each sighting belongs to; -1 for none.
    keep_score: detections below it are not looked at; from here on they may continue a track.
    birth_score: from here on they may start one.
    duplicate_iou: a detection whose mask overlaps a better one's by more is dropped.
    memory_frames: an object that is unseen for longer gets a new identity.

    `state` is all that changes from frame to frame; it is replaced, never written to.
    """

    def __init__(
        self,
        *,
        sight: Callable[[Detections, Tensor, Tensor], Sightings],
        associate: Callable[[Sightings, TrackMemory], Tensor],
        keep_score: float,
        birth_score: float,
        duplicate_iou: float,
        memory_frames: int,
    ) -> None:
        self._sight = sight
        self._associate = associate
        self.keep_score = keep_score
        self._birth_score = birth_score
        self._duplicate_iou = duplicate_iou
        self._memory_frames = memory_frames
        self.state = TrackerState()

    @torch.inference_mode()  # a tenth less time: most of it goes to small operations
    def update(self, detections: Detections) -> TrackedDetections:
        """Name the objects of the next frame.

        Args:
            detections: in any order, on any device.

        Returns:
            Those that belong to a track, best score first, on the same device. A track's label is
            the class with most evidence so far, not that of the single frame.
        """
        seen = self._look(detections.to("cpu"))
        memory = newborn(seen[:0], 0) if self.state.memory is None else self.state.memory
        memory = advance(memory, self._memory_frames)
        owners = self._associate(seen, memory)
        born = ((owners < 0) & (seen.scores >= self._birth_score)).nonzero()[:, 0]
        if len(born):  # in most frames there is nobody new, and all would be copied for nothing
            owners[born] = torch.arange(len(memory), len(memory) + len(born))
            memory = extend(memory, seen[born], self.state.next_id)
        is_named = owners >= 0
        owners = owners[is_named]
        seen = seen.only(is_named)
        likeness = likeness_to(memory, owners, seen)
        memory = refresh(memory, owners, seen)
        self.state = TrackerState(memory, self.state.next_id + len(born))
        track_ids, labels = memory.track_ids[owners], memory.labels[owners]
        return _name(detections, seen.rows, track_ids, labels, likeness)

    def _look(self, detections: Detections) -> Sightings:
        """The presentable and distinct ones."""
        rows = detections.scores.argsort(descending=True, stable=True)
        rows = rows[detections.scores[rows] >= self.keep_score]
        standing = stand_ins(rows, detections.boxes, detections.masks, self._duplicate_iou)
        return self._sight(detections, rows, standing)


def build_tracker(config: TrackingConfig, state: TrackerState | None = None) -> Tracker:
    """A tracker for one video, from its beginning or from what an earlier one knew."""
    looks_and_place = LooksAndPlace(
        appearance_weight=config.appearance_weight,
        temperature=config.temperature,
        place_frames=config.place_frames,
        birth_score=config.birth_score,
        recent_frames=config.recent_frames,
    )
    by_masks = config.association == "overlap"
    masks_alone = partial(mask_similarity, least=config.match_similarity)
    tracker = Tracker(
        sight=sight_masks if by_masks else sight_looks,
        associate=partial(
            _associate,
            similarity=masks_alone if by_masks else looks_and_place,
            matching=MATCHINGS[config.assignment],
            threshold=config.match_similarity,
        ),
        keep_score=min(config.keep_score, config.birth_score),
        birth_score=config.birth_score,
        duplicate_iou=config.duplicate_iou,
        memory_frames=config.memory_frames,
    )
    if state is not None:
        tracker.state = state
    return tracker


def _associate(
    sightings: Sightings,
    memory: TrackMemory,
    similarity: Similarity,
    matching: Matching,
    threshold: float,
) -> Tensor:
    return matching(similarity(sightings, memory), threshold)


def _name(
    detections: Detections, rows: Tensor, track_ids: Tensor, labels: Tensor, likeness: Tensor
) -> TrackedDetections:
    device = detections.boxes.device
    # Masks are large: taking rows of them copies them, while taking the first few does not.
    leading = torch.equal(rows, torch.arange(len(rows)))
    chosen = detections[: len(rows)] if leading else detections[rows.to(device)]
    fields = {**vars(chosen), "labels": labels.to(device)}
    return TrackedDetections(**fields, track_ids=track_ids.to(device), likeness=likeness.to(device))
