"""What a tracker remembers of its tracks, one row per track, and the three ways it changes.

Time passes (`advance`), new objects enter (`extend`), objects are seen (`refresh`): pure functions.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from qivis.structures import Record
from qivis.tracking.affinity import unit_length
from qivis.tracking.sightings import Sightings

POSITION_GAIN = 0.8  # share of a surprise in position that is believed; the rest is detector jitter
VELOCITY_GAIN = 0.2  # share of it that is taken for a change of velocity
DRAG = 0.9  # what remains of a velocity after a frame: an object that is not seen soon stops
LABEL_LEAD = 1.25  # a label gives way when another has this many times its evidence


@dataclass(frozen=True)
class TrackMemory(Record):
    """M live tracks, in the order of their birth.

    track_ids: (M,) int64.
    boxes: (M, 4) float32, x1 y1 x2 y2 in pixels: where the object is expected in this frame.
    velocities: (M, 2) float32, x y of the centre in pixels per frame.
    looks: (M, E) float32 of length 1; E = 0 where nobody asks.
    evidence: (M, K) float32, sum of the scores with which each class was seen, which orders classes
        as their mean over the track does.
    labels: (M,) int64 in [0, K).
    ages: (M,) int64, frames since the object was last seen.
    seen_boxes: (M, 4) float32, x1 y1 x2 y2 in pixels: where it was then.
    seen_grids: (M, S, S) bool, which cells of that box it covered (`mask_grids.py`); S = 0 where
        nobody asks.
    """

    track_ids: Tensor
    boxes: Tensor
    velocities: Tensor
    looks: Tensor
    evidence: Tensor
    labels: Tensor
    ages: Tensor
    seen_boxes: Tensor
    seen_grids: Tensor


def newborn(sightings: Sightings, first_id: int, num_classes: int = 1) -> TrackMemory:
    """Tracks of objects that are met for the first time; `refresh` is still to see them.

    Args:
        sightings: the objects.
        first_id: of the first of them; the others count on from there.
        num_classes: K, as far as classes are known.
    """
    number = len(sightings)
    return TrackMemory(
        size=sightings.size,
        track_ids=torch.arange(first_id, first_id + number),
        boxes=sightings.boxes,
        velocities=sightings.boxes.new_zeros(number, 2),
        looks=sightings.looks,
        evidence=sightings.scores.new_zeros(number, num_classes),
        labels=sightings.labels,
        ages=torch.zeros(number, dtype=torch.int64),
        seen_boxes=sightings.boxes,
        seen_grids=sightings.grids,
    )


def advance(memory: TrackMemory, longest_absence: int) -> TrackMemory:
    """One frame later: objects have moved on, those unseen for `longest_absence` are forgotten."""
    memory = memory.only(memory.ages < longest_absence)
    return replace(
        memory,
        boxes=memory.boxes + memory.velocities.repeat(1, 2),
        velocities=memory.velocities * DRAG,
        ages=memory.ages + 1,
    )


def extend(memory: TrackMemory, sightings: Sightings, first_id: int) -> TrackMemory:
    """The tracks of `memory`, then a new one for each detection, with ids from `first_id` on."""
    others = newborn(sightings, first_id, memory.evidence.shape[1])
    fields = {name: rows for name, rows in vars(memory).items() if name != "size"}
    joined = {name: torch.cat([rows, getattr(others, name)]) for name, rows in fields.items()}
    return TrackMemory(size=memory.size, **joined)


def likeness_to(memory: TrackMemory, rows: Tensor, sightings: Sightings) -> Tensor:
    """How much objects look as their tracks remember them.

    Args:
        memory: M tracks.
        rows: (N,) int64, the track of each sighting.
        sightings: N of them.

    Returns:
        (N,) in [-1, 1], cosines; 1 where nobody asks for looks.
    """
    if not memory.looks.shape[1]:
        return sightings.scores.new_ones(len(rows))
    return (sightings.looks * memory.looks[rows]).sum(dim=1)


def refresh(memory: TrackMemory, rows: Tensor, sightings: Sightings) -> TrackMemory:
    """Learn from what was seen: place, velocity, looks, class and mask.

    Args:
        memory: M tracks.
        rows: (N,) int64, the track that each detection belongs to; no track twice.
        sightings: N of them.
    """
    expected, ages = memory.boxes[rows], memory.ages[rows]
    surprise = sightings.boxes - expected
    shift = surprise.view(-1, 2, 2).mean(dim=1)  # (N, 2), of the centre
    elapsed = ages.clamp(min=1)[:, None]
    evidence = _add_evidence(memory.evidence, rows, sightings.class_scores)
    return replace(
        memory,
        boxes=memory.boxes.index_copy(0, rows, expected + POSITION_GAIN * surprise),
        velocities=memory.velocities.index_add(0, rows, VELOCITY_GAIN * shift / elapsed),
        looks=_learn_looks(memory, rows, sightings),
        evidence=evidence,
        labels=_settle_labels(memory.labels, evidence),
        ages=memory.ages.index_fill(0, rows, 0),
        seen_boxes=memory.seen_boxes.index_copy(0, rows, sightings.boxes),
        seen_grids=memory.seen_grids.index_copy(0, rows, sightings.grids),
    )


def _learn_looks(memory: TrackMemory, rows: Tensor, sightings: Sightings) -> Tensor:
    if not memory.looks.shape[1]:
        return memory.looks
    # A view unlike the remembered one is more likely an occluded or mistaken one (CTVIS).
    alike = likeness_to(memory, rows, sightings).clamp(min=0)
    trust = (alike * sightings.scores)[:, None]
    looks = unit_length((1 - trust) * memory.looks[rows] + trust * sightings.looks)
    return memory.looks.index_copy(0, rows, looks)


def _add_evidence(evidence: Tensor, rows: Tensor, class_scores: Tensor) -> Tensor:
    missing = class_scores.shape[1] - evidence.shape[1]
    widened = F.pad(evidence, (0, max(missing, 0)))
    return widened.index_add(0, rows, F.pad(class_scores, (0, max(-missing, 0))))


def _settle_labels(labels: Tensor, evidence: Tensor) -> Tensor:
    best, challengers = evidence.max(dim=1)
    own = evidence.gather(1, labels[:, None])[:, 0]
    return torch.where(best > LABEL_LEAD * own, challengers, labels)
