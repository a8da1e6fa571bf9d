import math

import pytest
import torch
from torchvision.ops import box_iou as reference_box_iou

from qivis.tracking.affinity import (
    bi_softmax,
    box_areas,
    box_iou,
    grown,
    match_greedily,
    match_together,
    shared_areas,
    unit_length,
)


def test_directions_have_length_1_whatever_their_length_was():
    scaled = unit_length(torch.tensor([[3.0, 4.0], [0.0, -7.0], [0.0, 0.0]]))
    torch.testing.assert_close(scaled, torch.tensor([[0.6, 0.8], [0.0, -1.0], [0.0, 0.0]]))


def test_bi_softmax_is_the_mean_over_the_row_and_over_the_column():
    similarity = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    # Pair (0, 0): 3 / 4 in its row and in its column; pair (0, 1): 1 / 4 and 1 / 2.
    expected = torch.tensor([[0.75, 0.375], [0.375, 0.5]])
    torch.testing.assert_close(bi_softmax(similarity, temperature=1.0), expected)


def test_a_low_temperature_makes_the_better_of_two_rivals_stand_out():
    similarity = torch.tensor([[0.9, 0.8]])
    warm, cold = bi_softmax(similarity, 1.0)[0, 0], bi_softmax(similarity, 0.01)[0, 0]
    assert cold > 0.99 > warm


def test_a_lone_pair_has_no_rival_however_unlike():
    assert bi_softmax(torch.tensor([[0.01]]), 0.1).item() == 1.0


def test_areas_are_those_of_the_boxes_and_of_what_they_share():
    boxes = torch.tensor([[0.0, 0.0, 2.0, 4.0], [9.0, 9.0, 9.0, 12.0]])
    others = torch.tensor([[1.0, 1.0, 5.0, 4.0], [2.0, 0.0, 3.0, 4.0], [7.0, 7.0, 8.0, 8.0]])
    assert box_areas(boxes).tolist() == [8.0, 0.0]
    assert shared_areas(boxes, others).tolist() == [[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_box_iou_is_the_shared_part():
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    others = torch.tensor([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0], [0.0, 0.0, 2.0, 2.0]])
    torch.testing.assert_close(box_iou(boxes, others), torch.tensor([[1 / 3, 0.0, 1.0]]))


def test_box_iou_is_that_of_torchvision():
    corners = torch.rand(2, 30, 2, generator=torch.Generator().manual_seed(0))
    boxes = torch.cat([corners[0], corners[0] + corners[1]], dim=1)
    torch.testing.assert_close(box_iou(boxes[:20], boxes), reference_box_iou(boxes[:20], boxes))


def test_grown_boxes_reach_further_on_every_side():
    boxes = torch.tensor([[0.0, 10.0, 4.0, 20.0]])
    assert grown(boxes, 0.5).tolist() == [[-2.0, 5.0, 6.0, 25.0]]


def test_a_margin_lets_neighbours_overlap():
    boxes, others = torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[3.0, 0.0, 5.0, 2.0]])
    # Grown by half a side each way both are 4 x 4, three apart: they share 1 x 4 of 28.
    overlap = box_iou(grown(boxes, 0.5), grown(others, 0.5))
    torch.testing.assert_close(overlap, torch.tensor([[1 / 7]]))


def test_boxes_without_area_do_not_overlap():
    point = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    assert box_iou(point, point).item() == 0.0


@pytest.mark.parametrize(
    ("similarity", "columns"),
    [
        ([[0.9, 0.8], [0.95, 0.2]], [0, -1]),
        ([[0.9, 0.8], [0.95, 0.6]], [0, 1]),
        ([[0.4]], [-1]),
        ([[0.5]], [0]),
        ([[0.6, 0.7, 0.65]], [1]),
    ],
    ids=["the better scored chooses first", "second choice", "too unlike", "just enough", "best"],
)
def test_greedy_matching_gives_each_its_best_free_track(similarity, columns):
    assert match_greedily(torch.tensor(similarity), threshold=0.5).tolist() == columns


def test_greedy_matching_is_what_choosing_one_after_the_other_gives():
    generator = torch.Generator().manual_seed(0)
    for number, others in [(1, 1), (7, 4), (4, 7), (30, 30)]:
        for _ in range(20):  # in steps of a tenth, so that many are alike
            similarity = torch.randint(0, 11, (number, others), generator=generator) / 10
            free, expected = list(range(others)), []
            for row in similarity.tolist():
                column = max(free, key=lambda place: row[place], default=-1)
                chosen = column if column >= 0 and row[column] >= 0.5 else -1
                expected.append(chosen)
                free = [place for place in free if place != chosen]
            assert match_greedily(similarity, threshold=0.5).tolist() == expected


@pytest.mark.parametrize(
    ("similarity", "greedy", "together"),
    [
        # Greedy: 0.9, then nothing for the second. Together: 0.8 + 0.95 = 1.75.
        ([[0.9, 0.8], [0.95, 0.2]], [0, -1], [1, 0]),
        # 0.9 + 0.55 is more than 0.6 + 0.8.
        ([[0.9, 0.6], [0.8, 0.55]], [0, 1], [0, 1]),
        # 0.45 + 0.9 would be more than 0.95 + 0.1, but 0.45 is no pair: nobody gives way to it.
        ([[0.95, 0.45], [0.9, 0.1]], [0, -1], [0, -1]),
        # Three for one track: the most alike, whoever is scored better.
        ([[0.6], [0.7], [0.65]], [0, -1, -1], [-1, 0, -1]),
        ([[0.4]], [-1], [-1]),
        ([[0.5]], [0], [0]),
    ],
    ids=["gives way", "same", "not for too little", "too many", "too unlike", "just enough"],
)
def test_together_pairs_are_as_alike_as_can_be(similarity, greedy, together):
    similarity = torch.tensor(similarity)
    assert match_greedily(similarity, threshold=0.5).tolist() == greedy
    assert match_together(similarity, threshold=0.5).tolist() == together


@pytest.mark.parametrize("match", [match_greedily, match_together])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody_or_nothing_to_match_is_no_special_case(shape, match):
    similarity = torch.zeros(shape)
    assert bi_softmax(similarity, 0.1).shape == shape
    assert match(similarity, 0.5).tolist() == [-1] * shape[0]
    assert box_iou(torch.zeros(shape[0], 4), torch.zeros(shape[1], 4)).shape == shape
