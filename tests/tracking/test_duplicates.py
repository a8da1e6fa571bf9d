import pytest
import torch

from qivis.tracking.duplicates import stand_ins


def rectangles(*boxes, size=(10, 10)):
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return torch.tensor(boxes, dtype=torch.float32).view(-1, 4), masks


@pytest.mark.parametrize(
    ("boxes", "rows", "expected"),
    [
        ([(0, 0, 10, 10), (0, 0, 10, 9)], [0, 1], [0, -1]),
        ([(0, 0, 10, 10), (0, 0, 10, 9)], [1, 0], [0, -1]),
        ([(0, 0, 10, 10), (0, 0, 10, 5)], [0, 1], [0, 1]),
        ([(0, 0, 4, 4), (5, 5, 9, 9)], [1, 0], [0, 1]),
        # The second is a duplicate of the first; the third is one only of the second.
        ([(0, 0, 4, 10), (1, 0, 5, 10), (2, 0, 6, 10)], [0, 1, 2], [0, -1, 2]),
        ([(0, 0, 10, 10), (0, 0, 10, 9)], [1], [0]),
        ([(0, 0, 10, 10), (0, 0, 10, 9)], [], []),
    ],
    ids=["duplicate", "best comes first", "half of it", "apart", "chain", "not asked", "nobody"],
)
def test_of_overlapping_masks_the_best_remains(boxes, rows, expected):
    rows = torch.tensor(rows, dtype=torch.int64)
    assert stand_ins(rows, *rectangles(*boxes), threshold=0.5).tolist() == expected


def test_masks_that_share_only_most_of_their_box_are_not_duplicates():
    boxes, masks = rectangles((0, 0, 10, 10), (0, 0, 10, 9))
    masks[0, 5:], masks[1, :5] = False, False
    assert stand_ins(torch.arange(2), boxes, masks, threshold=0.5).tolist() == [0, 1]


def test_one_box_is_one_object_even_if_three_classes_draw_it_differently():
    boxes, masks = rectangles((0, 0, 4, 4), *[(0, 0, 10, 10)] * 3)
    masks[1, 5:], masks[2, :5], masks[3, :, 5:] = False, False, False
    assert stand_ins(torch.arange(4), boxes, masks, threshold=0.5).tolist() == [0, 1, 1, 1]


def test_masks_are_compared_where_boxes_leave_the_picture():
    _, masks = rectangles((0, 0, 4, 4), (0, 0, 4, 4))
    boxes = torch.tensor([[-5.0, -5.0, 4.0, 4.0], [-5.5, -4.5, 4.0, 4.0]])
    assert stand_ins(torch.arange(2), boxes, masks, threshold=0.5).tolist() == [0, -1]


def test_a_duplicate_is_told_by_its_pixels_and_not_by_its_box():
    # They share 10 x 6 pixels and cover 10 x 10: IoU 0.6, although the boxes are nearly one.
    boxes, masks = rectangles((0, 0, 10, 10), (0, 0, 10, 9))
    masks[1] = False
    masks[1, 0:6] = True
    for threshold, expected in ((0.59, [0, -1]), (0.61, [0, 1])):
        assert stand_ins(torch.arange(2), boxes, masks, threshold).tolist() == expected


def test_masks_without_a_pixel_are_not_duplicates():
    boxes, masks = rectangles((0, 0, 10, 10), (0, 0, 10, 9))
    assert stand_ins(torch.arange(2), boxes, masks & False, threshold=0.5).tolist() == [0, 1]


@pytest.mark.parametrize("sides", [[(0.0, 1.5), (0.0, 1.2)], [(0.5, 2.0), (0.8, 2.0)]])
def test_pixels_that_a_box_touches_count_as_a_whole(sides):
    boxes = torch.tensor([[low, 0.0, high, 4.0] for low, high in sides])
    _, masks = rectangles((0, 0, 2, 4), (0, 0, 2, 4))
    masks[1, :, 1 if sides[0][0] == 0 else 0] = False
    # They share one of two columns, though their boxes have an IoU of 0.8.
    assert stand_ins(torch.arange(2), boxes, masks, threshold=0.6).tolist() == [0, 1]
