"""The losses of a stage, on boxes and masks that can be followed by hand."""

import math

import pytest
import torch
from torch import Tensor

from qivis.config.schema import LossConfig
from qivis.models.criterion import box_losses, class_loss, mask_loss, matched_boxes
from qivis.models.outputs import Match, StageOutput
from qivis.structures import Targets
from tests.tiny import rectangles

SIZE = (100, 200)
WEIGHTS = LossConfig(focal=1.0, l1=1.0, giou=1.0, dice=1.0)
NOTHING_IGNORED = torch.zeros(0, 4)
# What a score of one half costs as a class and as no class.
POSITIVE, NEGATIVE = 0.25 * 0.25 * math.log(2), 0.75 * 0.25 * math.log(2)


def output_of(boxes: list[tuple[int, ...]], logits: Tensor) -> StageOutput:
    queries = torch.zeros(1, len(boxes), 4)
    return StageOutput(logits[None], torch.tensor([boxes], dtype=torch.float32), queries, queries)


def match_of(queries: list[int], objects: list[int]) -> Match:
    return Match(torch.tensor(queries, dtype=torch.int64), torch.tensor(objects, dtype=torch.int64))


def losses_of(
    output: StageOutput,
    found: Match,
    targets: Targets,
    ignored: Tensor = NOTHING_IGNORED,
    weights: LossConfig = WEIGHTS,
) -> dict[str, Tensor]:
    return {
        "class": class_loss(output, [found], [targets], [ignored], weights.focal),
        **box_losses(output.boxes, [found], [targets], weights),
    }


def values_of(losses: dict[str, Tensor]) -> dict[str, float]:
    return {name: loss.item() for name, loss in losses.items()}


def test_class_and_box_losses_by_hand() -> None:
    targets = rectangles(SIZE, [(0, 0, 40, 50)], [1])
    output = output_of([(150, 0, 190, 90), (0, 0, 80, 50)], torch.zeros(2, 3))
    losses = losses_of(output, match_of([1], [0]), targets)
    # Five of six class scores should be 0. Half of the box is right: 40 of 200 pixels too wide.
    assert values_of(losses) == pytest.approx(
        {"class": POSITIVE + 5 * NEGATIVE, "l1": 0.2, "giou": 0.5}, rel=1e-4
    )


def test_losses_are_divided_by_the_number_of_matches() -> None:
    boxes = [(0, 0, 40, 50), (100, 0, 140, 50)]
    targets = rectangles(SIZE, boxes, [0, 0])
    output = output_of([(0, 0, 80, 50), (100, 0, 180, 50)], torch.zeros(2, 1))
    losses = losses_of(output, match_of([0, 1], [0, 1]), targets)
    assert values_of(losses) == pytest.approx({"class": POSITIVE, "l1": 0.2, "giou": 0.5}, rel=1e-4)


def test_losses_have_their_weights() -> None:
    targets = rectangles(SIZE, [(0, 0, 40, 50)], [0])
    output, found = output_of([(0, 0, 80, 50)], torch.zeros(1, 1)), match_of([0], [0])
    weights = LossConfig(focal=2.0, l1=5.0, giou=3.0)
    losses = losses_of(output, found, targets, weights=weights)
    assert losses["class"].item() == pytest.approx(2 * POSITIVE)
    assert losses["l1"].item() == pytest.approx(1.0)
    assert losses["giou"].item() == pytest.approx(1.5, rel=1e-4)


def test_an_ignored_region_shields_only_unmatched_queries() -> None:
    targets = rectangles(SIZE, [(0, 0, 40, 50)], [0])
    output = output_of([(0, 0, 40, 50), (0, 0, 40, 90), (0, 0, 40, 110)], torch.zeros(3, 1))
    region = torch.tensor([[0.0, 0.0, 100.0, 50.0]])
    losses = losses_of(output, match_of([0], [0]), targets, region)
    # The second query lies in it with 5 / 9 of its area, the third with 5 / 11.
    assert losses["class"].item() == pytest.approx(POSITIVE + NEGATIVE)


def test_an_image_without_objects_teaches_that_there_are_none() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    output = output_of([(0, 0, 40, 50), (0, 0, 80, 50)], logits)
    losses = losses_of(output, match_of([], []), Targets.empty(SIZE))
    assert losses["class"].item() == pytest.approx(6 * NEGATIVE)
    assert (losses["l1"].item(), losses["giou"].item()) == (0, 0)
    torch.stack(list(losses.values())).sum().backward()
    assert (logits.grad > 0).all()


def test_masks_are_compared_within_the_predicted_boxes() -> None:
    targets = rectangles(SIZE, [(0, 0, 40, 40), (100, 0, 140, 40)], [2, 0])
    boxes = torch.tensor(
        [[[0.0, 0.0, 9.0, 9.0], [100.0, 0.0, 180.0, 40.0], [0.0, 0.0, 40.0, 80.0]]]
    )
    logits = torch.full((2, 28, 28), -50.0)
    logits[0, :, :14] = 50  # query 1, object 1: the left half, as it should be
    logits[1, 14:] = 50  # query 2, object 0: the lower half instead of the upper
    loss = mask_loss(logits, boxes, [match_of([1, 2], [1, 0])], [targets], weight=3.0)
    assert loss.item() == pytest.approx(3 * (0 + 1) / 2, abs=1e-4)


def test_no_matches_cost_no_masks() -> None:
    logits = torch.zeros(0, 28, 28, requires_grad=True)
    loss = mask_loss(
        logits, torch.zeros(1, 2, 4), [match_of([], [])], [Targets.empty(SIZE)], weight=1.0
    )
    loss.backward()
    assert loss.item() == 0


def test_matched_boxes_come_image_after_image() -> None:
    boxes = torch.arange(16.0).view(2, 2, 4)
    chosen = matched_boxes(boxes, [match_of([1], [0]), match_of([1, 0], [0, 1])])
    assert chosen[:, 0].tolist() == [4, 12, 8]
