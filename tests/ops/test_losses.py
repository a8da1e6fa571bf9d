"""Losses on numbers that can be followed by hand."""

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from qivis.ops.losses import dice_loss, focal_cost, one_hot, quality_focal_loss


def test_the_focal_cost_is_the_loss_as_positive_minus_the_loss_as_negative() -> None:
    logits = torch.tensor([[0.0, 2.0, -1.0], [-3.0, 0.5, 1.0]])
    labels = torch.tensor([2, 0, 2])
    positive = sigmoid_focal_loss(logits, torch.ones(2, 3))[:, labels]
    negative = sigmoid_focal_loss(logits, torch.zeros(2, 3))[:, labels]
    assert torch.allclose(focal_cost(logits, labels), positive - negative, atol=1e-6)


def test_the_focal_cost_of_an_undecided_query_by_hand() -> None:
    # At 0.5 both losses are log(2) / 4, weighted with 0.25 and 0.75.
    expected = math.log(2) / 4 * (0.25 - 0.75)
    assert focal_cost(torch.zeros(1, 1), torch.tensor([0])).item() == pytest.approx(expected)


def test_the_focal_cost_is_finite_for_certain_queries() -> None:
    cost = focal_cost(torch.tensor([[200.0, -200.0]]), torch.tensor([0, 1]))
    assert cost.isfinite().all()
    assert cost[0, 0] < 0 < cost[0, 1]


def test_no_objects_give_no_costs() -> None:
    assert focal_cost(torch.zeros(5, 3), torch.zeros(0, dtype=torch.int64)).shape == (5, 0)


@pytest.mark.parametrize(
    ("score", "quality"), [(0.5, 0.0), (0.5, 1.0), (0.2, 0.7), (0.9, 0.9)], ids=str
)
def test_the_quality_focal_loss_by_hand(score: float, quality: float) -> None:
    logit = math.log(score / (1 - score))
    cross_entropy = -quality * math.log(score) - (1 - quality) * math.log(1 - score)
    loss = quality_focal_loss(torch.tensor(logit), torch.tensor(quality))
    assert loss.item() == pytest.approx((quality - score) ** 2 * cross_entropy, abs=1e-6)


def test_the_dice_loss_by_hand() -> None:
    probabilities = torch.tensor([[[1.0, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    targets = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]])
    # 1 - 2 (1 + 0.5) / (1 + 0.25 + 2), and nothing in common.
    assert dice_loss(probabilities, targets).tolist() == pytest.approx([1 - 3 / 3.25, 1], abs=1e-4)


def test_a_perfect_mask_costs_nothing_and_an_empty_one_is_finite() -> None:
    mask = torch.zeros(2, 4, 4)
    mask[0, 1:3, 1:3] = 1
    assert dice_loss(mask, mask).tolist() == pytest.approx([0, 1], abs=1e-5)
    assert dice_loss(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4)).shape == (0,)


def test_the_background_label_has_no_class() -> None:
    assert one_hot(torch.tensor([1, 2, 0]), 2).tolist() == [[0, 1], [0, 0], [1, 0]]
    assert one_hot(torch.zeros(0, dtype=torch.int64), 2).shape == (0, 2)
