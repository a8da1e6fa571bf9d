"""Boxes: hand-made values, and the box coder's inverse written out."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from qivis.ops.boxes import (
    MAX_LOG_SCALE,
    apart,
    apply_deltas,
    clip_boxes,
    covered_share,
    cxcywh_to_xyxy,
    scale_boxes,
    xyxy_to_xywh,
)

BOX = torch.tensor([[10.0, 20.0, 30.0, 60.0]])


def deltas_between(old: Tensor, new: Tensor) -> Tensor:
    """What the box branch would have to say, from the definition (R-CNN, appendix C)."""
    old_side, new_side = old[:, 2:] - old[:, :2], new[:, 2:] - new[:, :2]
    shift = ((new[:, :2] + new[:, 2:]) - (old[:, :2] + old[:, 2:])) / 2 / old_side
    return torch.cat([shift / 0.5, (new_side / old_side).log()], dim=1)


def test_centre_and_size_to_corners() -> None:
    boxes = cxcywh_to_xyxy(torch.tensor([[[20.0, 40.0, 20.0, 40.0]]]))
    assert boxes.tolist() == [[[10, 20, 30, 60]]]


def test_corners_to_corner_and_size() -> None:
    assert xyxy_to_xywh(BOX).tolist() == [[10, 20, 20, 40]]


def test_boxes_move_to_another_grid_by_its_height_and_its_width() -> None:
    assert scale_boxes(BOX, (100, 50), (200, 25)).tolist() == [[5, 40, 15, 120]]


def test_boxes_are_cut_at_the_borders() -> None:
    boxes = torch.tensor([[-5.0, -5.0, 12.0, 30.0], [50.0, 2.0, 60.0, 4.0]])
    assert clip_boxes(boxes, (20, 10)).tolist() == [[0, 0, 10, 20], [10, 2, 10, 4]]


def test_deltas_of_zero_leave_a_box_alone() -> None:
    assert torch.equal(apply_deltas(BOX, torch.zeros(1, 4)), BOX)


def test_deltas_are_halves_of_a_side_and_logarithms_of_the_scale() -> None:
    moved = apply_deltas(BOX, torch.tensor([[1.0, -1.0, math.log(2), 0.0]]))
    # By half of 20 to the right, by half of 40 up, twice as wide.
    assert torch.allclose(moved, torch.tensor([[10.0, 0.0, 50.0, 40.0]]))


def test_the_right_deltas_reach_any_box() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 50, 2, generator=generator) * 100
    sides = torch.rand(2, 50, 2, generator=generator) * 50 + 1
    old, new = torch.cat([corners, corners + sides], dim=-1)
    assert torch.allclose(apply_deltas(old, deltas_between(old, new)), new, atol=1e-3)


def test_one_step_scales_a_side_by_no_more_than_62_5() -> None:
    grown = apply_deltas(BOX, torch.tensor([[0.0, 0.0, 100.0, -100.0]]))
    width, height = xyxy_to_xywh(grown)[0, 2:].tolist()
    assert (width, height) == pytest.approx((20 * 62.5, 40 / 62.5), rel=1e-4)
    assert math.exp(MAX_LOG_SCALE) == pytest.approx(62.5)


def test_boxes_of_different_images_or_classes_do_not_overlap_once_apart() -> None:
    boxes = torch.tensor([[-50.0, -20.0, 100.0, 60.0]]).repeat(6, 1)
    images, labels = torch.tensor([0, 0, 0, 2, 2, 1]), torch.tensor([0, 3, 3, 0, 3, 0])
    overlaps = box_iou(*[apart(boxes, images, labels)] * 2)
    pairs = (images[:, None] == images) & (labels[:, None] == labels)
    assert torch.equal(overlaps, pairs.float())


def test_boxes_of_the_first_image_and_class_stay_where_they_are_to_the_bit() -> None:
    boxes = torch.rand(20, 4) * 1e5
    zero = torch.zeros(20, dtype=torch.int64)
    assert torch.equal(apart(boxes, zero, zero), boxes)


def test_the_best_covering_region_counts() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [100.0, 100.0, 110.0, 110.0]])
    regions = torch.tensor([[0.0, 0.0, 5.0, 10.0], [0.0, 0.0, 10.0, 2.0], [-9.0, -9.0, 3.0, 3.0]])
    assert covered_share(boxes, regions).tolist() == pytest.approx([0.5, 0])


def test_without_regions_nothing_is_covered() -> None:
    assert covered_share(BOX, torch.zeros(0, 4)).tolist() == [0]
    assert covered_share(torch.zeros(0, 4), BOX).shape == (0,)


def test_a_box_without_area_has_a_finite_share() -> None:
    assert covered_share(torch.tensor([[3.0, 3.0, 3.0, 3.0]]), BOX).tolist() == [0]


def test_no_boxes_are_fine_everywhere() -> None:
    none = torch.zeros(0, 4)
    for boxes in (
        cxcywh_to_xyxy(none),
        xyxy_to_xywh(none),
        scale_boxes(none, (1, 1), (2, 2)),
        clip_boxes(none, (2, 2)),
        apply_deltas(none, none),
    ):
        assert boxes.shape == (0, 4)
