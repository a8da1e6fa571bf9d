"""Which query answers for which object, on costs small enough to add up by hand."""

import pytest
import torch

from qivis.models.matcher import MOST_NEIGHBOURS, add_neighbours, drop_far, match
from qivis.models.outputs import Match, StageOutput
from tests.tiny import rectangles

SIZE = (100, 200)
LEFT, RIGHT = (0, 0, 100, 100), (100, 0, 200, 100)
WEIGHTS = (2.0, 5.0, 2.0)


def output_of(boxes: list[tuple[int, int, int, int]], logits: list[list[float]]) -> StageOutput:
    """One image."""
    queries = torch.zeros(1, len(boxes), 4)
    return StageOutput(
        logits=torch.tensor([logits]),
        boxes=torch.tensor([boxes], dtype=torch.float32),
        queries=queries,
        mask_queries=queries,
    )


def pairs(output: StageOutput, objects: object, weights: tuple[float, float, float]) -> object:
    (found,) = match(output, [objects], weights)
    return list(zip(found.queries.tolist(), found.objects.tolist(), strict=True))


def test_objects_go_to_the_queries_that_lie_on_them() -> None:
    output = output_of([RIGHT, LEFT], [[0.0], [0.0]])
    assert pairs(output, rectangles(SIZE, [LEFT, RIGHT], [0, 0]), WEIGHTS) == [(0, 1), (1, 0)]


def test_objects_go_to_the_queries_that_have_their_class() -> None:
    output = output_of([LEFT, LEFT], [[-1.0, 1.0], [1.0, -1.0]])
    assert pairs(output, rectangles(SIZE, [LEFT, LEFT], [0, 1]), WEIGHTS) == [(0, 1), (1, 0)]


# The classes ask for 0-0 and 1-1, the boxes for 0-1 and 1-0. For either pair of two,
# focal: 0.25 (1-s)^2 (-log s) - 0.75 s^2 (-log (1-s)) is -0.521 for s = 0.731 and 0.158 for
# s = 0.269, twice the difference is 1.358; l1: 2 (0.5 + 0.5) = 2; overlap: 2 (1 - 0) = 2.
FOCAL_GAIN, L1_GAIN, GIOU_GAIN = 1.358, 2.0, 2.0


@pytest.mark.parametrize(
    ("weights", "by_class"),
    [
        ((1.0, 0.0, 0.0), True),
        ((L1_GAIN + 0.1, FOCAL_GAIN, 0.0), True),
        ((L1_GAIN - 0.1, FOCAL_GAIN, 0.0), False),
        ((GIOU_GAIN + 0.1, 0.0, FOCAL_GAIN), True),
        ((GIOU_GAIN - 0.1, 0.0, FOCAL_GAIN), False),
    ],
    ids=[
        "class alone",
        "class over l1",
        "l1 over class",
        "class over overlap",
        "overlap over class",
    ],
)
def test_costs_are_weighed(weights: tuple[float, float, float], by_class: bool) -> None:
    output = output_of([RIGHT, LEFT], [[1.0, -1.0], [-1.0, 1.0]])
    objects = rectangles(SIZE, [LEFT, RIGHT], [0, 1])
    assert pairs(output, objects, weights) == ([(0, 0), (1, 1)] if by_class else [(0, 1), (1, 0)])


def test_distances_are_shares_of_the_image() -> None:
    # 20 pixels are a fifth of the height and a tenth of the width.
    output = output_of([(0, 20, 50, 70), (30, 0, 80, 50)], [[0.0], [0.0]])
    assert pairs(output, rectangles(SIZE, [(0, 0, 50, 50)], [0]), (0.0, 1.0, 0.0)) == [(1, 0)]


def test_every_image_is_matched_for_itself() -> None:
    boxes = torch.tensor([[LEFT, RIGHT], [RIGHT, LEFT]], dtype=torch.float32)
    queries = torch.zeros(2, 2, 4)
    output = StageOutput(torch.zeros(2, 2, 1), boxes, queries, queries)
    found = match(output, [rectangles(SIZE, [LEFT], [0])] * 2, WEIGHTS)
    assert [m.queries.tolist() for m in found] == [[0], [1]]


def test_an_image_without_objects_matches_nothing() -> None:
    (found,) = match(output_of([LEFT], [[0.0]]), [rectangles(SIZE, [], [])], WEIGHTS)
    assert (found.queries.shape, found.objects.shape) == ((0,), (0,))
    assert (found.queries.dtype, found.objects.dtype) == (torch.int64, torch.int64)


def test_of_too_many_objects_the_best_have_a_query() -> None:
    output = output_of([RIGHT], [[0.0]])
    assert pairs(output, rectangles(SIZE, [LEFT, RIGHT], [0, 0]), WEIGHTS) == [(0, 1)]


def test_numbers_that_are_none_still_give_a_matching() -> None:
    output = output_of([LEFT, RIGHT], [[float("nan")], [float("nan")]])
    assert len(pairs(output, rectangles(SIZE, [LEFT, RIGHT], [0, 0]), WEIGHTS)) == 2


def match_of(queries: list[int], objects: list[int]) -> Match:
    return Match(torch.tensor(queries, dtype=torch.int64), torch.tensor(objects, dtype=torch.int64))


def as_pairs(found: Match) -> list[tuple[int, int]]:
    return list(zip(found.queries.tolist(), found.objects.tolist(), strict=True))


# Overlaps with LEFT: all of it, three quarters, half, none.
NEAR_AND_FAR = torch.tensor(
    [[[0.0, 0.0, 100.0, 100.0], [0.0, 0.0, 75.0, 100.0], [0.0, 0.0, 50.0, 100.0], [*RIGHT]]]
)


@pytest.mark.parametrize(
    ("least_overlap", "kept"), [(0.0, [(3, 0)]), (0.2, [])], ids=["as published", "near ones only"]
)
def test_a_query_matched_with_a_far_object_is_dropped(
    least_overlap: float, kept: list[tuple[int, int]]
) -> None:
    targets = rectangles(SIZE, [LEFT], [0])
    (found,) = drop_far([match_of([3], [0])], NEAR_AND_FAR, [targets], least_overlap)
    assert as_pairs(found) == kept


def test_a_query_matched_with_a_near_object_is_kept() -> None:
    targets = rectangles(SIZE, [RIGHT, LEFT], [0, 0])
    found = [match_of([2, 3], [1, 0])]
    assert as_pairs(drop_far(found, NEAR_AND_FAR, [targets], 0.5)[0]) == [(2, 1), (3, 0)]


@pytest.mark.parametrize(
    ("overlap", "added"),
    [(1.0, []), (0.6, [(1, 0)]), (0.4, [(1, 0), (2, 0)])],
    ids=["as published", "above 0.6", "above 0.4"],
)
def test_unmatched_queries_join_the_object_that_they_overlap(
    overlap: float, added: list[tuple[int, int]]
) -> None:
    targets = rectangles(SIZE, [LEFT], [0])
    (found,) = add_neighbours([match_of([0], [0])], NEAR_AND_FAR, [targets], overlap)
    assert as_pairs(found) == [(0, 0), *added]


def test_only_the_nearest_neighbours_join() -> None:
    shares = torch.linspace(0.5, 0.99, 30)
    boxes = torch.tensor([0.0, 0.0, 100.0, 100.0]).repeat(1, 30, 1)
    boxes[0, :, 2] *= shares
    targets = rectangles(SIZE, [LEFT], [0])
    (found,) = add_neighbours([match_of([], [])], boxes, [targets], 0.4)
    assert sorted(found.queries.tolist()) == list(range(30 - MOST_NEIGHBOURS, 30))


def test_without_objects_nobody_joins() -> None:
    (found,) = add_neighbours([match_of([], [])], NEAR_AND_FAR, [rectangles(SIZE, [], [])], 0.4)
    assert as_pairs(found) == []
