"""RoIAlign over the pyramid against torchvision's, level by level."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align

from qivis.ops.roi_align import STRIDES, LaidOutPyramid, flatten_pyramid, roi_align_pyramid

SIZE = (128, 160)
SIDE = 3


def make_pyramid(generator: torch.Generator, num_images: int = 2) -> list[Tensor]:
    return [
        torch.randn(num_images, 5, SIZE[0] // stride, SIZE[1] // stride, generator=generator)
        for stride in STRIDES
    ]


def make_boxes(generator: torch.Generator, count: int = 200) -> Tensor:
    """Boxes of all sizes; some lie partly or wholly outside the picture."""
    corners = torch.rand(count, 2, generator=generator) * 260 - 60
    sides = torch.rand(count, 2, generator=generator).mul(9).exp2() * 2
    return torch.cat([corners, corners + sides], dim=1)


def by_torchvision(
    pyramid: list[Tensor], boxes: Tensor, images: Tensor, sampling_ratio: int
) -> Tensor:
    """(N, S * S, C), each box pooled alone from the level of FPN's eq. 1."""
    rows = []
    for box, image in zip(boxes, images, strict=True):
        side = float((box[2:] - box[:2]).clamp(min=0).prod().sqrt())
        level = sum(side >= 56 * 2**step for step in (1, 2, 3))
        rois = torch.cat([image[None].float(), box])[None]
        scale = 1 / STRIDES[level]
        pooled = roi_align(pyramid[level], rois, SIDE, scale, sampling_ratio, aligned=True)
        rows.append(pooled[0].flatten(1).T)
    return torch.stack(rows)


@pytest.mark.parametrize("sampling_ratio", [1, 2])
def test_features_are_those_of_torchvision(sampling_ratio: int) -> None:
    generator = torch.Generator().manual_seed(sampling_ratio)
    pyramid, boxes = make_pyramid(generator), make_boxes(generator)
    images = torch.randint(0, 2, (len(boxes),), generator=generator)
    expected = by_torchvision(pyramid, boxes, images, sampling_ratio)
    found = roi_align_pyramid(flatten_pyramid(pyramid), boxes, images, SIDE, sampling_ratio)
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("sampling_ratio", [1, 2])
def test_gradients_are_those_of_torchvision(sampling_ratio: int) -> None:
    generator = torch.Generator().manual_seed(7)
    pyramid, boxes = make_pyramid(generator), make_boxes(generator)
    images = torch.randint(0, 2, (len(boxes),), generator=generator)
    weights = torch.randn(len(boxes), SIDE * SIDE, 5, generator=generator)
    for level in pyramid:
        level.requires_grad_()
    pooled = roi_align_pyramid(flatten_pyramid(pyramid), boxes, images, SIDE, sampling_ratio)
    expected = by_torchvision(pyramid, boxes, images, sampling_ratio)
    for found, wanted in zip(
        torch.autograd.grad((pooled * weights).sum(), pyramid),
        torch.autograd.grad((expected * weights).sum(), pyramid),
        strict=True,
    ):
        assert wanted.any()
        assert torch.allclose(found, wanted, atol=1e-4)


def test_all_that_is_made_of_a_pyramid_teaches_it_together() -> None:
    generator = torch.Generator().manual_seed(3)
    levels = [level.requires_grad_() for level in make_pyramid(generator)]
    boxes, images = make_boxes(generator, 8), torch.tensor([0, 1] * 4)
    pyramid = flatten_pyramid(levels)
    # The second is made of the first, as a stage's boxes are; another part looks at the rows.
    first = roi_align_pyramid(pyramid, boxes, images, SIDE, 2)
    second = roi_align_pyramid(pyramid, boxes.flip(0), images, SIDE, 2) * first.sum()
    loss = second.sum() + pyramid.rows.square().sum()
    expected_first = by_torchvision(levels, boxes, images, 2)
    expected = by_torchvision(levels, boxes.flip(0), images, 2) * expected_first.sum()
    expected_loss = expected.sum() + sum(level.square().sum() for level in levels)
    wanted = torch.autograd.grad(expected_loss, levels)
    for _ in range(2):  # nothing is left over from the first time
        found = torch.autograd.grad(loss, levels, retain_graph=True)
        for mine, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)


def test_gradients_in_bfloat16_are_added_up_in_more() -> None:
    pyramid = [torch.zeros(1, 1, s, s) for s in (16, 8, 4, 2)]
    boxes = torch.tensor([[8.0, 4.0, 12.0, 8.0]]).expand(1000, 4)  # row 1, column 2 at stride 4
    images = torch.zeros(1000, dtype=torch.int64)
    levels = [level.bfloat16().requires_grad_() for level in pyramid]
    pooled = roi_align_pyramid(flatten_pyramid(levels), boxes, images, 1, 1)
    pooled.backward(torch.ones_like(pooled))
    expected = torch.zeros(16, 16)
    expected[1, 2] = 1000  # counting in bfloat16 comes to a halt at 256
    assert levels[0].grad is not None
    assert torch.equal(levels[0].grad[0, 0].float(), expected)


def test_the_same_gradient_for_all_features_is_one_for_each() -> None:
    generator = torch.Generator().manual_seed(3)
    boxes, images = make_boxes(generator), torch.zeros(200, dtype=torch.int64)
    found = []
    for alike in (True, False):
        levels = [level.requires_grad_() for level in make_pyramid(generator)]
        pooled = roi_align_pyramid(flatten_pyramid(levels), boxes, images, SIDE, 2)
        gradient = torch.ones(1, 1, 1).expand_as(pooled) if alike else torch.ones_like(pooled)
        found.append(torch.autograd.grad(pooled, levels, gradient))
    for expanded, dense in zip(*found, strict=True):
        assert dense.any()
        assert torch.allclose(expanded, dense)


@pytest.mark.parametrize(
    ("side", "stride"), [(20, 4), (111.9, 4), (112, 8), (223, 8), (224, 16), (448, 32), (4000, 32)]
)
def test_large_boxes_are_pooled_from_coarse_levels(side: float, stride: int) -> None:
    pyramid = [torch.full((1, 1, 64 // s, 64 // s), float(s)) for s in STRIDES]
    boxes = torch.tensor([[32 - side / 2, 32 - side / 2, 32 + side / 2, 32 + side / 2]])
    pooled = roi_align_pyramid(
        flatten_pyramid(pyramid), boxes, torch.zeros(1, dtype=torch.int64), 1, 1
    )
    assert pooled.item() == stride


def test_a_box_over_one_cell_gives_its_value() -> None:
    pyramid = [
        torch.arange(256.0).view(1, 1, 16, 16),
        *(torch.zeros(1, 1, s, s) for s in (8, 4, 2)),
    ]
    boxes = torch.tensor([[8.0, 4.0, 12.0, 8.0]])  # row 1, column 2 at stride 4
    pooled = roi_align_pyramid(
        flatten_pyramid(pyramid), boxes, torch.zeros(1, dtype=torch.int64), 1, 1
    )
    assert pooled.item() == 18


def test_no_gradient_flows_into_the_boxes() -> None:
    pyramid = make_pyramid(torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]], requires_grad=True)
    pooled = roi_align_pyramid(
        flatten_pyramid(pyramid), boxes, torch.zeros(1, dtype=torch.int64), SIDE, 2
    )
    assert not pooled.requires_grad


def test_no_boxes_give_no_features_and_no_gradient() -> None:
    pyramid = [level.requires_grad_() for level in make_pyramid(torch.Generator().manual_seed(0))]
    none = torch.zeros(0, dtype=torch.int64)
    pooled = roi_align_pyramid(flatten_pyramid(pyramid), torch.zeros(0, 4), none, SIDE, 2)
    assert pooled.shape == (0, SIDE * SIDE, 5)
    pooled.sum().backward()
    assert pyramid[0].grad is not None
    assert not pyramid[0].grad.any()


def test_boxes_that_are_no_numbers_are_pooled_from_somewhere() -> None:
    pyramid = flatten_pyramid(make_pyramid(torch.Generator().manual_seed(0)))
    nan, inf = float("nan"), float("inf")
    boxes = torch.tensor([[nan] * 4, [0.0, nan, 5.0, 9.0], [-inf, 0.0, inf, 9.0], [inf] * 4])
    pooled = roi_align_pyramid(pyramid, boxes, torch.zeros(4, dtype=torch.int64), SIDE, 2)
    assert pooled.isfinite().all()


@pytest.mark.parametrize("most", [3e38, float("inf")])
def test_an_endless_box_without_height_is_pooled_from_somewhere(most: float) -> None:
    pyramid = make_pyramid(torch.Generator().manual_seed(0), num_images=1)
    boxes = torch.tensor([[-most, 5, most, 5]])
    features = roi_align_pyramid(flatten_pyramid(pyramid), boxes, torch.zeros(1).long(), SIDE, 2)
    assert features.shape == (1, SIDE * SIDE, 5)


def test_features_have_the_precision_of_the_pyramid() -> None:
    pyramid = [level.bfloat16() for level in make_pyramid(torch.Generator().manual_seed(0))]
    boxes = make_boxes(torch.Generator().manual_seed(1))
    images = torch.zeros(len(boxes), dtype=torch.int64)
    pooled = roi_align_pyramid(flatten_pyramid(pyramid), boxes, images, SIDE, 2)
    expected = by_torchvision([level.float() for level in pyramid], boxes, images, 2)
    assert pooled.dtype == torch.bfloat16
    assert torch.allclose(pooled.float(), expected, atol=0.05)


def test_a_pyramid_that_is_written_where_it_is_read_is_laid_out_as_any_other() -> None:
    levels = [torch.randn(2, 3, 16 // side, 24 // side) for side in (1, 2, 4, 8)]
    pyramid = LaidOutPyramid.empty([level[:, :1] for level in levels], channels=3)
    for level, out in zip(levels, pyramid, strict=True):
        out.copy_(level)
    laid_out = flatten_pyramid(pyramid)
    assert torch.equal(laid_out.rows, flatten_pyramid(levels).rows)
    assert laid_out.rows.data_ptr() == pyramid[0].data_ptr()
