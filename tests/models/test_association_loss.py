"""Losses of embeddings, against sums written out."""

import math

import pytest
import torch

from qivis.models.association_loss import contrastive_loss, cosine_loss, track_match_loss


def test_the_contrastive_loss_is_the_double_sum_of_its_paper() -> None:
    similarity = torch.tensor([[0.5, -0.2, 1.0, 0.3]])
    positive = torch.tensor([[True, True, False, False]])
    negative = torch.tensor([[False, False, True, False]])  # the last is neither
    expected = math.log(1 + math.exp(1.0 - 0.5) + math.exp(1.0 + 0.2))
    loss = contrastive_loss(similarity, positive, negative)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_contrastive_loss_is_the_mean_over_objects_that_the_other_frame_shows() -> None:
    similarity = torch.tensor([[2.0, 1.0], [0.0, 3.0], [9.0, 9.0]])
    positive = torch.tensor([[True, False], [False, True], [False, False]])
    loss = contrastive_loss(similarity, positive, ~positive)
    expected = (math.log(1 + math.exp(1 - 2)) + math.log(1 + math.exp(0 - 3))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_nothing_to_be_told_from_costs_nothing() -> None:
    only = torch.tensor([[True]])
    assert contrastive_loss(torch.tensor([[0.3]]), only, ~only).item() == 0


def test_the_cosine_loss_draws_to_one_and_to_zero() -> None:
    cosines = torch.tensor([[0.8, 0.5, -0.4, 0.9]])
    positive = torch.tensor([[True, False, False, False]])
    negative = torch.tensor([[False, True, True, False]])
    # The negative of cosine -0.4 is as unlike as can be asked for; the last is neither.
    expected = 0.2**2 + 0.5**2 / 4
    assert cosine_loss(cosines, positive, negative).item() == pytest.approx(expected, rel=1e-5)


def test_of_many_negatives_the_most_alike_count() -> None:
    cosines = torch.linspace(0, 1, 101)[None]
    negative = torch.ones(1, 101, dtype=torch.bool)
    worst = [(1 - i / 100) ** 2 for i in range(10)]
    loss = cosine_loss(cosines, ~negative, negative)
    assert loss.item() == pytest.approx(sum(worst) / 10, rel=1e-4)


def test_an_object_that_left_is_only_pushed_away() -> None:
    cosines = torch.tensor([[0.6, 0.0]], requires_grad=True)
    negative = torch.ones(1, 2, dtype=torch.bool)
    cosine_loss(cosines, ~negative, negative).backward()
    assert cosines.grad is not None
    assert cosines.grad[0, 0] > 0
    assert cosines.grad[0, 1] == 0


def test_the_match_loss_is_the_cross_entropy_with_a_column_for_none() -> None:
    similarity = torch.tensor([[2.0, -1.0], [0.5, 0.5]])
    same = torch.tensor([[True, False], [False, False]])  # the second object is new
    first = -2 + math.log(1 + math.exp(2) + math.exp(-1))
    second = math.log(1 + 2 * math.exp(0.5))
    loss = track_match_loss(similarity, same)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)], ids=str)
def test_frames_without_objects_cost_a_finite_amount_and_give_finite_gradients(
    shape: tuple[int, int],
) -> None:
    values = torch.zeros(shape, requires_grad=True)
    nothing = torch.zeros(shape, dtype=torch.bool)
    for loss in (
        contrastive_loss(values, nothing, ~nothing),
        cosine_loss(values, nothing, ~nothing),
        track_match_loss(values, nothing),
    ):
        assert loss.item() == 0
        loss.backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
