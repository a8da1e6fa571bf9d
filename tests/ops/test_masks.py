"""Pasting against a full-frame `grid_sample`."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qivis.ops import masks as ops_masks
from qivis.ops.masks import paste_crops, paste_masks, paste_whole

Paste = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]


@pytest.fixture(params=[paste_masks, paste_whole], ids=["crop by crop", "whole pictures"])
def paste(request: pytest.FixtureRequest) -> Paste:
    """The ways of CPUs and of GPUs."""
    chosen: Paste = request.param
    return chosen


def by_grid_sample(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, H, W), the probability of every pixel of the picture, before the threshold."""
    x1, y1, x2, y2 = (column[:, None] for column in boxes.double().unbind(1))
    columns = (torch.arange(size[1], dtype=torch.float64) + 0.5 - x1) / (x2 - x1) * 2 - 1
    rows = (torch.arange(size[0], dtype=torch.float64) + 0.5 - y1) / (y2 - y1) * 2 - 1
    shape = (len(boxes), *size)
    grid = torch.stack([columns[:, None].expand(shape), rows[:, :, None].expand(shape)], dim=-1)
    return F.grid_sample(probabilities[:, None].double(), grid, align_corners=False)[:, 0]


def assert_equal_but_on_the_threshold(found: Tensor, expected: Tensor) -> None:
    clear = (expected - 0.5).abs() > 1e-5  # rounding may decide the others either way
    assert torch.equal(found[clear], expected[clear] > 0.5)


@pytest.mark.parametrize("scale", [1.0, 20.0, 60.0], ids=["tiny", "medium", "large"])
def test_pasted_masks_are_those_of_grid_sample(paste: Paste, scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    size = (40, 50)
    corners = torch.rand(60, 2, generator=generator) * 70 - 15  # some are partly or wholly outside
    sides = torch.rand(60, 2, generator=generator) * scale + 0.05
    boxes = torch.cat([corners, corners + sides], dim=1)
    probabilities = torch.rand(60, 28, 28, generator=generator)
    found = paste(probabilities, boxes, size)
    assert (found.shape, found.dtype) == ((60, *size), torch.bool)
    assert_equal_but_on_the_threshold(found, by_grid_sample(probabilities, boxes, size))


def test_certain_masks_fill_their_boxes_and_no_more(paste: Paste) -> None:
    boxes = torch.tensor([[2.0, 1.0, 5.0, 3.0], [-2.0, 4.0, 3.0, 9.0], [2.6, 0.6, 5.4, 3.4]])
    masks = paste(torch.ones(3, 4, 4), boxes, (6, 8))
    expected = torch.zeros(3, 6, 8, dtype=torch.bool)
    expected[0, 1:3, 2:5] = True
    expected[1, 4:, :3] = True
    expected[2, 1:3, 3:5] = True  # the pixels whose centres lie inside
    assert torch.equal(masks, expected)


def test_uncertain_masks_are_empty(paste: Paste) -> None:
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
    assert not paste(torch.full((1, 4, 4), 0.49), boxes, (8, 8)).any()


@pytest.mark.parametrize(
    "box",
    [(3.0, 3.0, 3.0, 3.0), (5.0, 5.0, 2.0, 2.0), (-9.0, -9.0, -2.0, -2.0), (50.0, 0.0, 60.0, 8.0)],
    ids=["no area", "turned inside out", "left of the picture", "right of the picture"],
)
def test_boxes_that_hold_no_pixel_give_empty_masks(paste: Paste, box: tuple[float, ...]) -> None:
    assert not paste(torch.ones(1, 4, 4), torch.tensor([box]), (8, 8)).any()


def test_of_large_pictures_few_masks_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.tensor([[1.0, 2.0, 30.0, 20.0], [5.0, 5.0, 25.0, 35.0], [0.0, 0.0, 40.0, 40.0]])
    probabilities = torch.rand(3, 28, 28, generator=generator)
    expected = paste_whole(probabilities, boxes, (40, 40))
    monkeypatch.setattr(ops_masks, "MOST_VALUES", 2 * 40 * 40)  # two masks
    assert torch.equal(paste_whole(probabilities, boxes, (40, 40)), expected)


def test_crops_are_the_pixels_inside_the_boxes() -> None:
    boxes = torch.tensor([[2.0, 1.0, 5.0, 3.0], [-2.0, 4.0, 3.0, 9.0], [50.0, 0.0, 60.0, 8.0]])
    first, second, outside = paste_crops(torch.ones(3, 4, 4), boxes, (6, 8))
    assert (first.top, first.left, first.pixels.tolist()) == (1, 2, [[True] * 3] * 2)
    assert (second.top, second.left, second.pixels.tolist()) == (4, 0, [[True] * 3] * 2)
    assert outside.pixels.size == 0


def test_no_masks_are_fine() -> None:
    assert paste_crops(torch.zeros(0, 28, 28), torch.zeros(0, 4), (5, 7)) == []
    for paste in (paste_masks, paste_whole):
        assert paste(torch.zeros(0, 28, 28), torch.zeros(0, 4), (5, 7)).shape == (0, 5, 7)


def test_half_precision_is_enough_for_probabilities(paste: Paste) -> None:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    assert paste(torch.ones(1, 2, 2, dtype=torch.bfloat16), boxes, (4, 4)).all()


@pytest.mark.gpu
def test_on_a_gpu_masks_stay_there() -> None:
    probabilities, boxes = torch.rand(2, 28, 28).cuda(), torch.tensor([[1.0, 2.0, 30.0, 20.0]] * 2)
    found = paste_masks(probabilities, boxes.cuda(), (40, 50))
    assert found.is_cuda
    expected = by_grid_sample(probabilities.cpu(), boxes, (40, 50))
    assert_equal_but_on_the_threshold(found.cpu(), expected)
