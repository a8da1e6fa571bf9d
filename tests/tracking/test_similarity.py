from dataclasses import replace

import pytest
import torch

from qivis.tracking.memory import newborn
from qivis.tracking.sightings import Sightings
from qivis.tracking.similarity import LooksAndPlace, mask_similarity

RED, GREEN = (1.0, 0.0), (0.0, 1.0)
HALF_AND_HALF = LooksAndPlace(
    appearance_weight=0.5, temperature=0.05, place_frames=10.0, birth_score=0.3, recent_frames=5
)


def sightings(*objects):
    """Objects of 20 x 20 pixels, of (x, looks, score); each covers the left half of its box."""
    left = torch.tensor([float(x) for x, *_ in objects])
    return Sightings(
        size=(100, 200),
        rows=torch.arange(len(objects)),
        boxes=torch.stack([left, 40 + 0 * left, left + 20, 60 + 0 * left], dim=1),
        labels=torch.zeros(len(objects), dtype=torch.int64),
        scores=torch.tensor([score for *_, score in objects]),
        class_scores=torch.zeros(len(objects), 1),
        looks=torch.tensor([looks for _, looks, _ in objects]).view(-1, 2),
        grids=torch.tensor([[[True, False]] * 2] * len(objects)).view(-1, 2, 2),
    )


def remembered(*objects, age=1):
    return replace(newborn(sightings(*objects), 0), ages=torch.full((len(objects),), age))


@pytest.mark.parametrize(
    ("x", "looks", "age", "expected"),
    [
        (10, RED, 1, 1.0),
        (10, GREEN, 1, 0.5),
        (150, RED, 1, 0.5),
        (150, GREEN, 1, 0.0),
        # After 10 frames without a sighting half of what the place says has become 0.2.
        (10, GREEN, 11, 0.5 * (0.5 * 1.0 + 0.5 * 0.2)),
        (150, RED, 11, 0.5 + 0.5 * (0.5 * 0.2)),
    ],
    ids=["same", "same place", "same looks", "neither", "same place long ago", "same looks later"],
)
def test_similarity_weighs_looks_and_place_and_the_place_fades(x, looks, age, expected):
    memory = remembered((10, RED, 0.9), age=age)
    similarity = HALF_AND_HALF(sightings((x, looks, 0.9)), memory)
    assert similarity.item() == pytest.approx(expected)


def test_a_lone_pair_that_looks_unlike_has_no_similarity_where_only_looks_count():
    only_looks = replace(HALF_AND_HALF, appearance_weight=1.0)
    memory = remembered((10, RED, 0.9))
    assert only_looks(sightings((10, GREEN, 0.9)), memory).item() == 0


def test_opposite_looks_make_no_negative_similarity():
    memory = remembered((10, RED, 0.9))
    assert HALF_AND_HALF(sightings((150, (-1.0, 0.0), 0.9)), memory).item() == 0


def test_of_two_tracks_that_fit_equally_well_none_is_certain():
    memory = remembered((10, RED, 0.9), (10, RED, 0.9))
    # Each has half of the row's softmax and all of its column's.
    similarity = HALF_AND_HALF(sightings((10, RED, 0.9)), memory)
    assert similarity.tolist() == [pytest.approx([0.75, 0.75])]


@pytest.mark.parametrize(
    ("x", "score", "age", "may"),
    [
        (10, 0.29, 1, True),
        (10, 0.29, 5, True),
        (10, 0.29, 6, False),
        (10, 0.3, 6, True),
        (49, 0.29, 1, True),  # boxes of 20, grown by 10 on each side, meet up to 40 apart
        (50, 0.29, 1, False),
        (50, 0.3, 1, True),
    ],
    ids=["weak", "recent", "long ago", "strong", "near", "elsewhere", "strong elsewhere"],
)
def test_a_weak_detection_only_carries_on_a_recent_track_nearby(x, score, age, may):
    memory = remembered((10, RED, 0.9), age=age)
    assert (HALF_AND_HALF(sightings((x, RED, score)), memory).item() > 0) == may


def test_masks_are_compared_whatever_the_looks_the_score_and_the_absence():
    memory = remembered((10, RED, 0.9), (150, GREEN, 0.9), age=25)
    similarity = mask_similarity(sightings((10, GREEN, 0.1), (150, RED, 0.9)), memory, 0.35)
    assert similarity.tolist() == [[1, 0], [0, 1]]


def test_masks_are_compared_where_they_were_seen_and_not_where_they_are_expected():
    memory = remembered((10, RED, 0.9))
    memory = replace(memory, boxes=memory.boxes + 100)
    similarity = mask_similarity(sightings((10, RED, 0.9), (110, RED, 0.9)), memory, 0.35)
    assert similarity.tolist() == [[1], [0]]
