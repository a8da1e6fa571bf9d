"""Queries that a dense head proposes: which locations are chosen, and what becomes of them."""

from dataclasses import replace

import pytest
import torch

from qivis.models.featurized_queries import CANDIDATES, FeaturizedQueries, choose_locations
from qivis.models.outputs import DenseProposals

SQUARE = torch.tensor([[64, 64]])
STRIDES = (4, 8, 16, 32)
LOW, MIDDLE, HIGH = -2.0, 0.0, 2.0


def pyramid_of(size: tuple[int, int], num_images: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(num_images, 16, size[0] // s, size[1] // s, generator=generator)
        for s in STRIDES
    ]


def make_head(num_queries: int) -> FeaturizedQueries:
    torch.manual_seed(0)
    return FeaturizedQueries(num_queries, width=16, num_classes=3).eval()


def proposals(logits: list[float], boxes: list[list[int]]) -> DenseProposals:
    """One image, one class; each location in the middle of its box."""
    corners = torch.tensor(boxes, dtype=torch.float32)
    return DenseProposals(
        logits=torch.tensor(logits)[None, :, None],
        boxes=corners[None],
        centres=(corners[:, :2] + corners[:, 2:]) / 2,
        strides=torch.full((len(boxes),), 8.0),
    )


def test_the_best_locations_are_chosen_in_their_order() -> None:
    dense = proposals([LOW, HIGH, MIDDLE], [[0, 0, 8, 8], [20, 0, 28, 8], [0, 20, 8, 28]])
    assert choose_locations(dense, SQUARE, num_queries=2).tolist() == [[1, 2]]


def test_a_box_that_lies_on_a_better_one_comes_after_all_others() -> None:
    dense = proposals([HIGH, MIDDLE, LOW], [[0, 0, 8, 8], [0, 0, 8, 9], [30, 30, 40, 40]])
    assert choose_locations(dense, SQUARE, num_queries=2).tolist() == [[0, 2]]
    assert choose_locations(dense, SQUARE, num_queries=3).tolist() == [[0, 2, 1]]


def test_boxes_of_other_images_are_not_in_the_way() -> None:
    boxes = [[-30, 0, 8, 8], [20, 0, 28, 8], [0, 20, 8, 28]]
    first, second = proposals([LOW, HIGH, MIDDLE], boxes), proposals([HIGH, LOW, MIDDLE], boxes)
    both = replace(
        first,
        logits=torch.cat([first.logits, second.logits]),
        boxes=torch.cat([first.boxes, second.boxes]),
    )
    chosen = choose_locations(both, SQUARE.repeat(2, 1), num_queries=3)
    assert chosen.tolist() == [[1, 2, 0], [0, 2, 1]]


def test_locations_in_the_padding_come_after_all_others() -> None:
    dense = proposals(
        [HIGH, LOW, LOW, MIDDLE],
        [
            [60, 0, 68, 8],
            [0, 0, 8, 8],
            [0, 0, 8, 9],
            [0, 60, 8, 68],
        ],
    )
    assert choose_locations(dense, torch.tensor([[50, 50]]), num_queries=2).tolist() == [[1, 2]]


def test_every_image_gets_its_queries_and_none_in_the_padding() -> None:
    head = make_head(num_queries=20)
    grids = torch.tensor([[96, 64], [50, 40]])
    with torch.no_grad():
        initial = head(pyramid_of((64, 96), num_images=2), grids)
    assert (initial.boxes.shape, initial.queries.shape) == ((2, 20, 4), (2, 20, 16))
    (dense,) = initial.dense
    chosen = choose_locations(dense, grids, num_queries=20)
    for locations, (width, height) in zip(chosen, grids, strict=True):
        x, y = dense.centres[locations].unbind(dim=1)
        assert x.max() < width
        assert y.max() < height
        assert len(locations.unique()) == 20


@pytest.mark.parametrize("num_queries", [1, 40, CANDIDATES + 50])
def test_any_number_of_queries_can_be_asked_for(num_queries: int) -> None:
    with torch.no_grad():
        initial = make_head(num_queries)(pyramid_of((160, 160)), torch.tensor([[160, 160]]))
    assert initial.boxes.shape == (1, num_queries, 4)


def test_locations_lie_in_the_middle_of_their_cells() -> None:
    with torch.no_grad():
        (dense,) = make_head(4)(pyramid_of((64, 96)), torch.tensor([[96, 64]])).dense
    assert len(dense.centres) == 8 * 12 + 4 * 6 + 2 * 3
    some = dense.centres[[0, 1, 12, 96, -1]].tolist()
    assert some == [
        [4, 4],
        [12, 4],
        [4, 12],
        [8, 8],
        [80, 48],
    ]
    assert dense.strides[[0, 95, 96, 119, 120]].tolist() == [8, 8, 16, 16, 32]


def test_new_boxes_surround_their_locations_and_no_class_is_likely() -> None:
    head = make_head(4)
    with torch.no_grad():
        head.distances.weight.zero_()
        head.class_logits.weight.zero_()
        (dense,) = head(pyramid_of((64, 64)), SQUARE).dense
    reach = torch.tensor(1.0).exp() * dense.strides[:, None]
    assert torch.allclose(dense.boxes[0, :, :2], dense.centres - reach)
    assert torch.allclose(dense.boxes[0, :, 2:], dense.centres + reach)
    assert torch.allclose(dense.logits.sigmoid(), torch.tensor(0.01))


def test_queries_learn_through_their_features() -> None:
    head = make_head(4)
    initial = head(pyramid_of((64, 64)), SQUARE)
    initial.queries.square().sum().backward()
    assert head.class_tower[0].weight.grad is not None
    assert head.class_logits.weight.grad is None
