"""Which location of the dense head learns which object, and what."""

import pytest
import torch
from torch import Tensor

from qivis.config.schema import LossConfig
from qivis.models.outputs import DenseProposals
from qivis.models.proposal_loss import assign, proposal_losses
from qivis.structures import Targets
from tests.tiny import rectangles

SIZE = (64, 64)
WEIGHTS = LossConfig(proposal_class=1.0, proposal_giou=1.0)
STRIDE = 8.0


def row_of_locations(count: int = 8) -> Tensor:
    """(L, 2): in the middle of a row of cells, y = 4."""
    x = (torch.arange(count) + 0.5) * STRIDE
    return torch.stack([x, torch.full_like(x, 4.0)], dim=1)


def assigned(
    boxes: Tensor, target: Targets, logits: Tensor | None = None
) -> list[tuple[int, int, float]]:
    """(location, object, overlap) each."""
    logits = torch.zeros(len(boxes), 2) if logits is None else logits
    found = assign(dense_of(boxes[None], logits[None]), target.boxes[None], target.labels[None])
    return list(zip(*(values.tolist() for values in found[1:]), strict=True))


def test_an_object_takes_as_many_locations_as_its_overlaps_add_up_to() -> None:
    target = rectangles(SIZE, [(0, 0, 64, 8)], [0])
    boxes = target.boxes.repeat(8, 1)
    boxes[3:5, 2] = 48  # overlaps of 3/4
    boxes[5:, 2] = 16  # of 1/4
    # 3 + 1.5 + 0.75 add up to 5. The middle is at x = 32; 2.5 strides around it are 2 to 5.
    assert [location for location, _, _ in assigned(boxes, target)] == [2, 3, 4, 5]


def test_the_cheapest_locations_are_taken() -> None:
    target = rectangles(SIZE, [(0, 0, 64, 8)], [1])
    boxes = target.boxes.repeat(8, 1)
    boxes[:, 2] = 64 / 4  # overlaps of 1/4: two locations
    logits = torch.zeros(8, 2)
    logits[4, 1] = logits[2, 1] = 3.0  # these are surest of the class
    assert assigned(boxes, target, logits) == [(2, 0, 0.25), (4, 0, 0.25)]


def test_an_object_without_any_overlap_takes_one_location_in_it() -> None:
    target = rectangles(SIZE, [(16, 0, 32, 8)], [0])
    elsewhere = torch.tensor([[0.0, 40.0, 8.0, 48.0]]).repeat(8, 1)
    ((location, found, overlap),) = assigned(elsewhere, target)
    assert location in (2, 3)
    assert (found, overlap) == (0, 0)


def test_a_location_that_two_objects_want_learns_the_cheaper_one() -> None:
    target = rectangles(SIZE, [(0, 0, 64, 8), (24, 0, 40, 8)], [0, 0])
    boxes = target.boxes[[1]].repeat(8, 1)
    logits = torch.zeros(8, 2)
    logits[3:5, 0] = 3.0
    # Both want 3 and 4, whose boxes are those of the smaller object.
    assert assigned(boxes, target, logits) == [(3, 1, 1.0), (4, 1, 1.0)]


def test_an_object_that_holds_no_location_is_learned_by_none() -> None:
    target = rectangles(SIZE, [(5, 0, 11, 3)], [0])
    assert assigned(target.boxes.repeat(8, 1), target) == []


def test_images_do_not_know_of_one_another() -> None:
    wide, narrow = torch.tensor([0.0, 0.0, 64.0, 8.0]), torch.tensor([16.0, 0.0, 32.0, 8.0])
    nothing = torch.zeros(4)
    dense = dense_of(torch.stack([wide.repeat(8, 1), narrow.repeat(8, 1)]), torch.zeros(2, 8, 2))
    annotated = torch.stack([torch.stack([nothing, wide]), torch.stack([narrow, nothing])])
    images, locations, objects, overlaps = assign(dense, annotated, torch.zeros(2, 2).long())
    assert images.tolist() == [0] * 4 + [1] * 2
    assert locations.tolist() == [2, 3, 4, 5, 2, 3]
    assert objects.tolist() == [1] * 4 + [0] * 2
    assert overlaps.tolist() == [1.0] * 6


def test_boxes_without_area_are_no_objects() -> None:
    empty = torch.zeros(1, 1, 4)
    dense = dense_of(torch.zeros(1, 8, 4), torch.zeros(1, 8, 2))
    assert [len(part) for part in assign(dense, empty, torch.zeros(1, 1).long())] == [0] * 4


def dense_of(boxes: Tensor, logits: Tensor) -> DenseProposals:
    """Images that say the same of a row of locations."""
    return DenseProposals(
        logits, boxes, row_of_locations(boxes.shape[1]), torch.full((boxes.shape[1],), STRIDE)
    )


def test_losses_by_hand() -> None:
    target = rectangles(SIZE, [(0, 0, 16, 8)], [0])
    boxes = torch.tensor([[[0.0, 0.0, 8.0, 8.0], [0.0, 20.0, 8.0, 28.0]]])
    losses = proposal_losses(
        dense_of(boxes, torch.zeros(1, 2, 1)), [target], [torch.zeros(0, 4)], WEIGHTS
    )
    # The first location learns its overlap of 1/2, which it says already; the second costs
    # 0.5^2 log 2. The box is half of the object.
    assert losses["class"].item() == pytest.approx(0.25 * 0.6931, abs=1e-4)
    assert losses["giou"].item() == pytest.approx(0.5, abs=1e-4)


def test_class_losses_are_divided_by_the_overlaps_of_all_images() -> None:
    target = rectangles(SIZE, [(0, 0, 64, 8)], [0])
    boxes = target.boxes.repeat(2, 8, 1)
    logits = torch.zeros(2, 8, 1)
    losses = proposal_losses(
        dense_of(boxes, logits), [target] * 2, [torch.zeros(0, 4)] * 2, WEIGHTS
    )
    # Four locations of each image learn an overlap of 1, the other four of none.
    assert losses["class"].item() == pytest.approx(2 * 8 * 0.25 * 0.6931 / (2 * 4), abs=1e-4)


def test_a_location_in_an_ignored_region_costs_nothing_unless_it_learns_an_object() -> None:
    target = rectangles(SIZE, [(0, 0, 16, 8)], [0])
    boxes = torch.tensor([[[0.0, 0.0, 16.0, 8.0], *[[0.0, 20.0, 8.0, 28.0]] * 3]])
    logits = torch.zeros(1, 4, 1)
    region = torch.tensor([[0.0, 0.0, 24.0, 16.0]])  # three of the four
    losses = proposal_losses(dense_of(boxes, logits), [target], [region], WEIGHTS)
    assert losses["class"].item() == pytest.approx(2 * 0.25 * 0.6931, abs=1e-4)


def test_images_without_objects_are_finite_and_teach_that_there_are_none() -> None:
    logits = torch.zeros(2, 8, 3, requires_grad=True)
    boxes = torch.tensor([0.0, 0.0, 8.0, 8.0]).repeat(2, 8, 1).requires_grad_()
    losses = proposal_losses(
        dense_of(boxes, logits), [Targets.empty(SIZE)] * 2, [torch.zeros(0, 4)] * 2, WEIGHTS
    )
    assert losses["giou"].item() == 0
    sum(losses.values()).backward()
    assert (logits.grad > 0).all()


def test_box_losses_are_averaged_over_the_locations_that_learn() -> None:
    target = rectangles(SIZE, [(0, 0, 64, 8)], [0])
    boxes = target.boxes.repeat(2, 8, 1)
    boxes[1, :, 2] = 32  # half of the object: as many locations as their overlaps add up to, 4
    losses = proposal_losses(
        dense_of(boxes, torch.zeros(2, 8, 1)), [target] * 2, [torch.zeros(0, 4)] * 2, WEIGHTS
    )
    assert losses["giou"].item() == pytest.approx((4 * 0 + 4 * 0.5) / 8, abs=1e-4)
