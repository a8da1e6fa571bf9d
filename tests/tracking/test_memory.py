from dataclasses import replace

import pytest
import torch

from qivis.tracking.memory import (
    DRAG,
    POSITION_GAIN,
    VELOCITY_GAIN,
    advance,
    extend,
    newborn,
    refresh,
)
from qivis.tracking.sightings import Sightings


def sightings(boxes, looks=None, scores=None, labels=None, grids=None):
    """Each is of one class only, unless its class scores are replaced."""
    number = len(boxes)
    labels = torch.tensor(labels or [0] * number, dtype=torch.int64)
    scores = torch.tensor(scores or [1.0] * number)
    return Sightings(
        size=(100, 100),
        rows=torch.arange(number),
        boxes=torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        labels=labels,
        scores=scores,
        class_scores=torch.eye(10)[labels] * scores[:, None],
        looks=torch.tensor(looks or [[1.0, 0.0]] * number).view(-1, 2),
        grids=torch.tensor(grids or [[[True]]] * number).view(-1, 1, 1),
    )


def remembered(*boxes, **fields):
    seen = sightings(list(boxes), **fields)
    return refresh(newborn(seen, 0), torch.arange(len(seen)), seen)


def test_newborn_tracks_stand_where_they_were_seen():
    memory = newborn(sightings([(0, 0, 4, 4), (5, 5, 9, 9)], looks=[[0.6, 0.8], [0.0, 1.0]]), 7)
    assert memory.track_ids.tolist() == [7, 8]
    assert memory.boxes.tolist() == [[0, 0, 4, 4], [5, 5, 9, 9]]
    assert memory.velocities.tolist() == [[0, 0], [0, 0]]
    torch.testing.assert_close(memory.looks, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))


def test_new_tracks_stand_behind_the_old_ones():
    memory = extend(remembered((0, 0, 4, 4)), sightings([(5, 5, 9, 9)], labels=[3]), 1)
    assert memory.track_ids.tolist() == [0, 1]
    assert memory.labels.tolist() == [0, 3]


def test_an_object_seen_elsewhere_gets_a_velocity_and_goes_on_with_it():
    memory = refresh(
        advance(remembered((0, 0, 10, 10)), 5), torch.tensor([0]), sightings([(10, 0, 20, 10)])
    )
    x, speed = 10 * POSITION_GAIN, 10 * VELOCITY_GAIN
    torch.testing.assert_close(memory.boxes, torch.tensor([[x, 0, x + 10, 10]]))
    torch.testing.assert_close(memory.velocities, torch.tensor([[speed, 0.0]]))
    later = advance(memory, 5)
    torch.testing.assert_close(later.boxes, torch.tensor([[x + speed, 0, x + speed + 10, 10]]))
    torch.testing.assert_close(later.velocities, torch.tensor([[speed * DRAG, 0.0]]))


def test_a_steady_motion_is_soon_foreseen():
    memory = remembered((0, 0, 10, 10))
    for frame in range(1, 20):
        box = (4 * frame, 0, 4 * frame + 10, 10)
        memory = refresh(advance(memory, 5), torch.tensor([0]), sightings([box]))
    expected = advance(memory, 5).boxes
    assert (expected - torch.tensor([[80.0, 0, 90, 10]])).abs().max() < 3


def test_a_displacement_is_spread_over_the_frames_without_a_sighting():
    once = advance(remembered((0, 0, 10, 10)), 9)
    box = sightings([(20, 0, 30, 10)])
    fast = refresh(once, torch.tensor([0]), box)
    slow = refresh(advance(advance(advance(once, 9), 9), 9), torch.tensor([0]), box)
    torch.testing.assert_close(fast.velocities, 4 * slow.velocities)


def test_an_object_that_only_grows_does_not_move():
    memory = advance(remembered((40, 40, 60, 60)), 5)
    grown = refresh(memory, torch.tensor([0]), sightings([(30, 30, 70, 70)]))
    assert grown.velocities.tolist() == [[0, 0]]


def test_tracks_are_forgotten_after_their_longest_absence():
    memory = remembered((0, 0, 4, 4))
    for _ in range(3):
        memory = advance(memory, 3)
    assert memory.ages.tolist() == [3]
    assert len(advance(memory, 3)) == 0


def test_a_sighting_makes_a_track_young_again_and_leaves_the_others_alone():
    memory = advance(remembered((0, 0, 4, 4), (50, 50, 60, 60)), 9)
    memory = refresh(memory, torch.tensor([1]), sightings([(52, 50, 62, 60)]))
    assert memory.ages.tolist() == [1, 0]
    assert memory.boxes[0].tolist() == [0, 0, 4, 4]


@pytest.mark.parametrize(
    ("seen", "score", "expected"),
    [
        ([0.0, 1.0], 1.0, [1.0, 0.0]),
        ([-1.0, 0.0], 1.0, [1.0, 0.0]),
        ([0.6, 0.8], 1.0, [0.76, 0.48]),  # 0.4 * (1, 0) + 0.6 * (0.6, 0.8)
        ([0.6, 0.8], 0.0, [1.0, 0.0]),
    ],
    ids=["unlike", "opposite", "alike", "alike, but doubtful"],
)
def test_remembered_looks_follow_what_is_alike_and_certain(seen, score, expected):
    memory = remembered((0, 0, 4, 4), looks=[[1.0, 0.0]])
    sighting = sightings([(0, 0, 4, 4)], looks=[seen], scores=[score])
    looks = refresh(memory, torch.tensor([0]), sighting).looks
    expected = torch.tensor([expected])
    torch.testing.assert_close(looks, expected / expected.norm())


def test_a_track_remembers_where_it_was_seen_last_and_with_which_mask():
    memory = remembered((0, 0, 4, 4), (50, 50, 60, 60), grids=[[[True]], [[True]]])
    sighting = sightings([(8, 0, 12, 4)], grids=[[[False]]])
    memory = advance(refresh(advance(memory, 9), torch.tensor([0]), sighting), 9)
    assert memory.seen_boxes.tolist() == [[8, 0, 12, 4], [50, 50, 60, 60]]
    assert memory.seen_grids.flatten().tolist() == [False, True]
    assert memory.boxes[0, 0] > 8 * POSITION_GAIN  # while it is expected further on


def test_a_label_holds_until_another_has_clearly_more_evidence():
    memory = remembered((0, 0, 4, 4), labels=[2], scores=[0.5])
    labels = []
    for _ in range(3):
        sighting = sightings([(0, 0, 4, 4)], labels=[1], scores=[0.3])
        memory = refresh(memory, torch.tensor([0]), sighting)
        labels.append(memory.labels.item())
    # Evidence for class 1: 0.3, 0.6, 0.9; it takes over when it exceeds 1.25 * 0.5.
    assert labels == [2, 2, 1]


def test_evidence_is_of_every_class_that_was_seen():
    memory = remembered((0, 0, 4, 4), labels=[0], scores=[0.5])
    sighting = sightings([(0, 0, 4, 4)], labels=[0], scores=[0.6])
    sighting = replace(sighting, class_scores=torch.tensor([[0.6, 0.4]]))  # no class from 2 on
    memory = refresh(memory, torch.tensor([0]), sighting)
    torch.testing.assert_close(memory.evidence[0, :3], torch.tensor([1.1, 0.4, 0.0]))
    sighting = replace(sighting, class_scores=torch.eye(12)[[11]])  # classes that are new
    memory = refresh(memory, torch.tensor([0]), sighting)
    torch.testing.assert_close(memory.evidence[0, [0, 1, 11]], torch.tensor([1.1, 0.4, 1.0]))


def test_a_label_does_not_flicker_between_two_equally_likely_classes():
    memory = remembered((0, 0, 4, 4), labels=[0], scores=[0.5])
    labels = set()
    for frame in range(20):
        sighting = sightings([(0, 0, 4, 4)], labels=[(frame + 1) % 2], scores=[0.5])
        memory = refresh(memory, torch.tensor([0]), sighting)
        labels.add(memory.labels.item())
    assert labels == {0}


def test_no_track_and_no_sighting_are_no_special_case():
    memory = newborn(sightings([]), 0)
    memory = refresh(advance(memory, 3), torch.zeros(0, dtype=torch.int64), sightings([]))
    assert len(extend(memory, sightings([]), 0)) == 0
