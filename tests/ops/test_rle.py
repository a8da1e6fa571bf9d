import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from qivis.ops import rle
from qivis.ops.masks import paste_crops, paste_masks


def rectangle(height, width, rows, columns):
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


def test_counts_run_down_the_columns_and_start_with_zeros():
    mask = rectangle(3, 2, slice(1, 3), slice(0, 1))
    (encoded,) = rle.encode(mask[None])
    # Column by column 0 1 1 0 0 0: runs 1 2 3, each one character of value + 48.
    assert encoded == {"size": [3, 2], "counts": "123"}


@pytest.mark.parametrize(
    "mask",
    [
        rectangle(5, 7, slice(1, 3), slice(2, 6)),
        rectangle(5, 7, slice(0, 0), slice(0, 0)),
        rectangle(5, 7, slice(None), slice(None)),
        rectangle(5, 7, slice(0, 5, 2), slice(0, 7, 3)),
        rectangle(1, 1, 0, 0),
        rectangle(4, 6, 3, 5),
    ],
    ids=["rectangle", "nothing", "everything", "scattered pixels", "one pixel", "last pixel"],
)
def test_encoding_a_mask_and_decoding_it_gives_it_back(mask):
    encoded = rle.encode(torch.stack([mask, ~mask]))
    assert torch.equal(rle.decode(encoded, tuple(mask.shape)), torch.stack([mask, ~mask]))


def by_pycocotools(masks):
    columns = np.asfortranarray(masks.permute(1, 2, 0).numpy(), dtype=np.uint8)
    return [{**one, "counts": one["counts"].decode("ascii")} for one in coco_mask.encode(columns)]


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (33, 47), (40, 64)], ids=str)
def test_run_lengths_of_pasted_crops_are_those_of_pasted_masks(size):
    """Of 2000 masks, with boxes inside, partly and wholly outside, around and in turned order."""
    generator = torch.Generator().manual_seed(size[0])
    height, width = size
    extent = torch.tensor([width, height, width, height])
    boxes = (torch.rand(400, 4, generator=generator) * 2 - 0.5) * extent
    boxes[:300] = torch.cat(
        [boxes[:300, :2].minimum(boxes[:300, 2:]), boxes[:300, :2].maximum(boxes[:300, 2:])], dim=1
    )
    boxes[:50] = boxes[:50].round()
    boxes[50:60] = extent * torch.tensor([0, 0, 1, 1])
    boxes[60:70, 1::2] = torch.tensor([-1.0, height + 1.0])  # whole columns
    boxes[70:90, 2:] = boxes[70:90, :2] + 1  # about a pixel
    probabilities = torch.rand(400, 5, 5, generator=generator)
    probabilities[::3] = probabilities[::3].sqrt()
    probabilities[::10] = probabilities[::10].round()
    found = rle.encode_crops(paste_crops(probabilities, boxes, size), size)
    masks = paste_masks(probabilities, boxes, size)
    expected = by_pycocotools(masks)
    assert found == expected
    assert rle.encode(masks) == expected
    assert 40 < sum(rle.area(one) == 0 for one in found) < 360


def test_a_mask_that_is_a_view_of_another_is_encoded_as_it_looks():
    masks = torch.rand(2, 9, 8, generator=torch.Generator().manual_seed(0)) > 0.5
    turned = masks.transpose(1, 2)
    assert rle.encode(turned) == rle.encode(turned.contiguous())


def test_no_mask_makes_no_run_lengths_and_comes_back_as_none():
    assert rle.encode(torch.zeros(0, 4, 6, dtype=torch.bool)) == []
    assert rle.decode([], (4, 6)).shape == (0, 4, 6)


def test_area_and_box_are_those_of_the_set_pixels():
    (encoded,) = rle.encode(rectangle(5, 7, slice(1, 3), slice(2, 6))[None])
    assert rle.area(encoded) == 8
    assert rle.to_box(encoded) == [2.0, 1.0, 4.0, 2.0]


def test_an_empty_mask_has_no_area_and_a_box_of_zeros():
    (encoded,) = rle.encode(torch.zeros(1, 4, 4, dtype=torch.bool))
    assert rle.area(encoded) == 0
    assert rle.to_box(encoded) == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "segmentation",
    [
        [[2, 1, 6, 1, 6, 3, 2, 3]],
        [[2, 1, 4, 1, 4, 3, 2, 3], [4, 1, 6, 1, 6, 3, 4, 3]],
        {"size": [5, 7], "counts": [11, 2, 3, 2, 3, 2, 3, 2, 7]},
        rle.encode(rectangle(5, 7, slice(1, 3), slice(2, 6))[None])[0],
    ],
    ids=["polygon", "two polygons", "list of runs", "compressed"],
)
def test_every_form_of_a_segmentation_gives_the_same_mask(segmentation):
    encoded = rle.from_segmentation(segmentation, (5, 7))
    expected = rectangle(5, 7, slice(1, 3), slice(2, 6))
    assert torch.equal(rle.decode([encoded], (5, 7))[0], expected)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([], "at least 3 points"),
        ([[1, 1, 2, 2]], "at least 3 points"),
        ({"size": [7, 5], "counts": [35]}, r"size \[7, 5\], the image is \[5, 7\]"),
        ({"size": [5, 7], "counts": [30]}, "do not add up to 5 x 7"),
        ("11", "list of polygons or an RLE"),
        ({"counts": [35]}, "list of polygons or an RLE"),
    ],
    ids=["no polygon", "two points", "other size", "short runs", "text", "no size"],
)
def test_a_segmentation_that_is_none_says_why(segmentation, message):
    with pytest.raises(ValueError, match=message):
        rle.from_segmentation(segmentation, (5, 7))


def test_areas_and_overlaps_of_many_masks() -> None:
    masks = torch.zeros(3, 5, 7, dtype=torch.bool)
    masks[0, :, :3] = True  # 15 pixels
    masks[1, 2:, 1:] = True  # 18 pixels, 6 of them shared
    first, second, nothing = rle.encode(masks)
    assert rle.areas([first, second, nothing]).tolist() == [15, 18, 0]
    assert rle.areas([]).tolist() == []
    assert rle.areas((second,) * 600).tolist() == [18] * 600
    overlaps = rle.overlaps([first, nothing], [second, first, nothing])
    assert overlaps.tolist() == [[6 / 27, 1, 0], [0, 0, 0]]
    assert rle.overlaps([], [first]).shape == (0, 1)


def test_masks_of_different_sizes_overlap_nowhere() -> None:
    (high,), (wide,) = (rle.encode(torch.ones(1, *size).bool()) for size in ((4, 2), (2, 4)))
    assert rle.overlaps([high], [wide, high]).tolist() == [[0, 1]]


def test_counts_may_be_bytes() -> None:
    (encoded,) = rle.encode(rectangle(4, 2, slice(1, 3), slice(0, 2))[None])
    as_bytes = {**encoded, "counts": encoded["counts"].encode()}
    assert rle.from_segmentation(as_bytes, (4, 2)) == encoded
    assert rle.areas([encoded, as_bytes]).tolist() == [4, 4]
    assert rle.overlaps([encoded, as_bytes], [as_bytes]).tolist() == [[1], [1]]
    assert rle.to_box(as_bytes) == rle.to_box(encoded)
    assert torch.equal(rle.decode([as_bytes], (4, 2)), rle.decode([encoded], (4, 2)))
