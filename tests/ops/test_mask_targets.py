"""Cropping against masks drawn by hand, and against torchvision's RoIAlign of whole masks."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qivis.ops import mask_targets
from qivis.ops.masks import paste_masks


def crop_masks(masks: Tensor, boxes: Tensor, objects: Tensor, side: int) -> Tensor:
    """Of one image."""
    return mask_targets.crop_masks([masks], [boxes], [objects], side)


def crop_whole(masks: Tensor, boxes: Tensor, objects: Tensor, side: int) -> Tensor:
    """Of one image, by RoIAlign."""
    return mask_targets.crop_whole([masks], [boxes], [objects], side)


def test_crops_show_the_object_of_each_box() -> None:
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[0, 2:4, 2:4] = True
    masks[1, :, :4] = True
    boxes = torch.tensor([[2.0, 2.0, 4.0, 4.0], [0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 8.0]])
    crops = crop_masks(masks, boxes, torch.tensor([0, 1, 0]), side=4)
    left_half = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(4, 4)
    middle = torch.zeros(4, 4)
    middle[1, 1] = 1
    assert crops.dtype == torch.float32
    assert torch.equal(crops, torch.stack([torch.ones(4, 4), left_half, middle]))


def test_cropping_undoes_pasting() -> None:
    drawn = torch.zeros(1, 8, 8)
    drawn[0, 2:6, 1:5] = 1
    boxes = torch.tensor([[16.0, 8.0, 48.0, 40.0]])
    pasted = paste_masks(drawn, boxes, (64, 64))
    assert torch.equal(crop_masks(pasted, boxes, torch.tensor([0]), side=8), drawn)


def test_without_matches_or_objects_there_are_no_crops() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    for count in (0, 3):
        masks = torch.zeros(count, 5, 7, dtype=torch.bool)
        assert crop_masks(masks, torch.zeros(0, 4), nothing, side=28).shape == (0, 28, 28)


def blobs(count: int, size: tuple[int, int]) -> Tensor:
    """Masks of smooth shapes, (N, H, W)."""
    noise = torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(noise, 9, 1, 4)[:, 0] > 0.25


BOXES = {
    "whole picture": [0.0, 0.0, 50.0, 40.0],
    "much wider than high": [3.2, 7.9, 48.6, 9.1],
    "many samples to a bin": [1.7, 2.3, 44.4, 39.6],
    "smaller than a pixel": [20.1, 30.2, 20.7, 30.6],
    "last pixel": [49.0, 39.0, 50.0, 40.0],
    "without width": [12.0, 5.0, 12.0, 30.0],
    "without extent": [50.0, 40.0, 50.0, 40.0],
}


@pytest.mark.parametrize("side", [4, 28])
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
def test_crops_are_those_of_roi_align(box: list[float], side: int) -> None:
    masks, boxes = blobs(3, (40, 50)), torch.tensor([box]).repeat(3, 1)
    objects = torch.tensor([2, 0, 1])
    found = crop_masks(masks, boxes, objects, side)
    means = crop_whole(masks, boxes, objects, side)
    undecided = (means - 0.5).abs() < 1e-5  # rounding may take them to either side
    assert torch.equal(found[~undecided], (means >= 0.5).float()[~undecided])


def test_many_boxes_are_cropped_as_each_alone() -> None:
    masks, boxes = blobs(2, (40, 50)), torch.tensor(list(BOXES.values()))
    objects = torch.arange(len(boxes)) % 2
    together = crop_masks(masks, boxes, objects, 14)
    for index in range(len(boxes)):
        one = slice(index, index + 1)
        assert torch.equal(crop_masks(masks, boxes[one], objects[one], 14), together[one])


def test_images_of_different_sizes_are_cropped_as_each_alone() -> None:
    masks = [blobs(2, (40, 50)), blobs(1, (60, 55)), blobs(0, (8, 8))]
    boxes = torch.tensor(list(BOXES.values()))
    parts = [boxes, boxes[:3], boxes[:0]]
    objects = [torch.arange(len(boxes)) % 2, torch.zeros(3, dtype=torch.int64)]
    objects.append(objects[0][:0])
    together = mask_targets.crop_masks(masks, parts, objects, 14)
    alone = [crop_masks(*image, 14) for image in zip(masks, parts, objects, strict=True)]
    assert torch.equal(together, torch.cat(alone))


def test_crops_are_as_exact_where_all_else_is_done_in_half_precision() -> None:
    masks, boxes = blobs(1, (40, 50)), torch.tensor([BOXES["many samples to a bin"]])
    objects = torch.tensor([0])
    expected = crop_masks(masks, boxes, objects, 28)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(crop_masks(masks, boxes, objects, 28), expected)


def test_boxes_of_a_model_that_has_diverged_are_cropped_all_the_same() -> None:
    nan, objects = float("nan"), torch.tensor([0, 0])
    boxes = torch.tensor([[nan] * 4, [20.0, 5.0, nan, 30.0]])
    assert not crop_masks(blobs(1, (40, 50)), boxes, objects, 28).any()


@pytest.mark.gpu
def test_on_a_gpu_crops_stay_there() -> None:
    masks, boxes = blobs(2, (40, 50)), torch.tensor([BOXES["many samples to a bin"]] * 2)
    objects = torch.tensor([1, 0])
    found = crop_masks(masks.cuda(), boxes.cuda(), objects.cuda(), 28)
    assert found.is_cuda
    means = crop_whole(masks, boxes, objects, 28)
    undecided = (means - 0.5).abs() < 1e-5
    expected = (means >= 0.5).float()
    assert torch.equal(found.cpu()[~undecided], expected[~undecided])
