import numpy as np
import pytest
import torch

from qivis.tracking.mask_grids import draw_grids, grid_iou
from qivis.tracking.sightings import GRID_SIDE

SIZE = (60, 80)


def draw(*regions, boxes=None, side=2):
    """Grids of masks that fill regions (x1 y1 x2 y2), and their boxes, by default the same."""
    masks = torch.zeros(len(regions), *SIZE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, regions, strict=True):
        mask[y1:y2, x1:x2] = True
    boxes = torch.tensor(boxes or regions, dtype=torch.float32).view(-1, 4)
    return draw_grids(masks, torch.arange(len(masks)), boxes, side), boxes


def test_a_grid_says_which_cells_of_the_box_are_covered():
    grids, _ = draw((10, 10, 20, 20), boxes=[(10, 10, 30, 30)])
    assert grids.tolist() == [[[True, False], [False, False]]]


def test_lines_and_columns_are_not_confused():
    grids, _ = draw((40, 10, 60, 20), boxes=[(20, 10, 60, 30)])
    assert grids.tolist() == [[[False, True], [False, False]]]


def test_only_the_chosen_masks_are_drawn():
    masks = torch.zeros(3, *SIZE, dtype=torch.bool)
    masks[2] = True
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0]]).repeat(2, 1)
    grids = draw_grids(masks, torch.tensor([2, 1]), boxes, 1)
    assert grids.flatten().tolist() == [True, False]


def test_nothing_is_covered_outside_of_the_frame():
    grids, _ = draw((0, 0, 80, 60), boxes=[(-40, -30, 40, 30)])
    assert grids.tolist() == [[[False, False], [False, True]]]
    grids, _ = draw((0, 0, 80, 60), boxes=[(40, 30, 120, 90)])
    assert grids.tolist() == [[[True, False], [False, False]]]


def test_masks_that_fill_their_boxes_overlap_as_these_do():
    first, boxes = draw((0, 0, 8, 8), side=8)
    others, other_boxes = draw((4, 0, 12, 8), (0, 0, 8, 8), (8, 0, 16, 8), (0, 2, 8, 4), side=8)
    # 4 x 8 of 96; all; they only touch; 2 x 8 of 64.
    expected = torch.tensor([[1 / 3, 1.0, 0.0, 1 / 4]])
    torch.testing.assert_close(grid_iou(first, boxes, others, other_boxes, 0), expected)


def test_two_halves_of_one_box_do_not_overlap():
    box = [(0, 0, 20, 20)]
    left, boxes = draw((0, 0, 10, 20), boxes=box)
    right, _ = draw((10, 0, 20, 20), boxes=box)
    top, _ = draw((0, 0, 20, 10), boxes=box)
    assert grid_iou(left, boxes, right, boxes, 0).item() == 0
    assert grid_iou(left, boxes, top, boxes, 0).item() == pytest.approx(1 / 3)


def test_each_pair_is_compared():
    first, boxes = draw((0, 0, 8, 8), (40, 40, 48, 48), side=4)
    second, other_boxes = draw((40, 40, 48, 48), (0, 0, 8, 8), (0, 0, 8, 4), side=4)
    expected = torch.tensor([[0, 1, 0.5], [1, 0, 0]])
    torch.testing.assert_close(grid_iou(first, boxes, second, other_boxes, 0), expected)


def test_large_cells_share_no_more_than_a_small_mask_has():
    # One cell in 4 is covered, with its middle at (5, 5), and the small mask lies around this.
    large, boxes = draw((0, 0, 10, 10), boxes=[(0, 0, 20, 20)])
    small, other_boxes = draw((4, 4, 6, 6))
    assert grid_iou(large, boxes, small, other_boxes, 0).item() == pytest.approx(4 / 100)


@pytest.mark.parametrize(("least", "expected"), [(0.25, 0.25), (0.26, 0.0), (0.6, 0.0)])
def test_pairs_that_cannot_be_alike_enough_are_left_at_0(least, expected):
    # 4 x 4 in 8 x 8: a quarter, by their areas alone.
    first, boxes = draw((0, 0, 8, 8), side=4)
    second, other_boxes = draw((0, 0, 4, 4), side=4)
    assert grid_iou(first, boxes, second, other_boxes, least).item() == expected


def test_pairs_that_can_be_alike_enough_are_looked_at():
    # By their boxes, halves of one box could be the same.
    left, boxes = draw((0, 0, 10, 20), boxes=[(0, 0, 20, 20)])
    top, _ = draw((0, 0, 20, 10), boxes=[(0, 0, 20, 20)])
    assert grid_iou(left, boxes, top, boxes, 0.9).item() == pytest.approx(1 / 3)


def test_empty_masks_and_boxes_without_area_overlap_with_nothing():
    grids, boxes = draw((0, 0, 0, 0), (5, 5, 5, 5), (0, 0, 9, 9), boxes=[(0, 0, 9, 9)] * 3)
    assert grid_iou(grids[:2], boxes[:2], grids, boxes, 0).tolist() == [[0, 0, 0]] * 2
    points = torch.tensor([[3.0, 3.0, 3.0, 3.0]]).repeat(3, 1)
    assert grid_iou(grids, points, grids, points, 0).tolist() == [[0, 0, 0]] * 3


@pytest.mark.parametrize("shape", [(0, 0), (0, 2), (2, 0)])
def test_nobody_to_compare_is_no_special_case(shape):
    (first, boxes), (second, others) = (draw(*[(0, 0, 9, 9)] * n, side=4) for n in shape)
    assert first.shape == (shape[0], 4, 4)
    assert grid_iou(first, boxes, second, others, 0).shape == shape


def ellipses(number, seed):
    """Masks and boxes of ellipses of 10 to 50 pixels, some of which leave the frame."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 80, (number, 1, 1)), rng.uniform(0, 60, (number, 1, 1))
    across, down = rng.uniform(5, 25, (2, number, 1, 1))
    lines, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    masks = ((columns - x) / across) ** 2 + ((lines - y) / down) ** 2 <= 1
    boxes = np.concatenate([x - across, y - down, x + across, y + down], axis=1)[:, :, 0]
    return torch.from_numpy(masks), torch.from_numpy(boxes).float()


def test_with_the_cells_of_the_tracker_it_is_nearly_the_iou_of_the_pixels():
    (masks, boxes), (others, other_boxes) = ellipses(20, seed=0), ellipses(20, seed=1)
    rows = torch.arange(20)
    grids = (
        draw_grids(masks, rows, boxes, GRID_SIDE),
        draw_grids(others, rows, other_boxes, GRID_SIDE),
    )
    estimated = grid_iou(grids[0], boxes, grids[1], other_boxes, 0).numpy()
    first, second = masks[:, None].numpy(), others[None].numpy()
    exact = (first & second).sum(axis=(2, 3)) / (first | second).sum(axis=(2, 3))
    assert np.abs(estimated - exact).max() < 0.06
    assert np.abs(estimated - exact)[exact > 0].mean() < 0.015
