"""A refinement stage: what it depends on, and what it does not."""

import pytest
import torch

from qivis.models.box_stage import BoxStage
from qivis.models.outputs import StageOutput
from qivis.ops.roi_align import PyramidRows, flatten_pyramid


@pytest.fixture(scope="module")
def stage() -> BoxStage:
    torch.manual_seed(0)
    return BoxStage(
        num_classes=3,
        width=16,
        num_heads=4,
        ffn_width=24,
        dynamic_width=4,
        grid=3,
        sampling_ratio=1,
    )


@pytest.fixture(scope="module")
def pyramid() -> PyramidRows:
    generator = torch.Generator().manual_seed(1)
    return flatten_pyramid(
        [torch.randn(2, 16, 64 // s, 64 // s, generator=generator) for s in (4, 8, 16, 32)]
    )


BOXES = torch.tensor([[0.0, 0.0, 30.0, 30.0], [20.0, 10.0, 60.0, 50.0], [5.0, 40.0, 9.0, 60.0]])
QUERIES = torch.randn(3, 16, generator=torch.Generator().manual_seed(2))


def rows(output: StageOutput) -> list[torch.Tensor]:
    return [output.logits, output.boxes, output.queries, output.mask_queries]


def test_the_order_of_the_queries_does_not_matter(stage: BoxStage, pyramid: PyramidRows) -> None:
    order = torch.tensor([2, 0, 1])
    boxes, queries = BOXES.expand(2, -1, -1), QUERIES.expand(2, -1, -1)
    plain = stage(pyramid, boxes, queries)
    mixed = stage(pyramid, boxes[:, order], queries[:, order])
    for left, right in zip(rows(plain), rows(mixed), strict=True):
        assert torch.allclose(left[:, order], right, atol=1e-5)


def test_queries_know_of_one_another(stage: BoxStage, pyramid: PyramidRows) -> None:
    boxes, queries = BOXES.expand(2, -1, -1), QUERIES.expand(2, -1, -1)
    all_three = stage(pyramid, boxes, queries).logits[:, :2]
    only_two = stage(pyramid, boxes[:, :2], queries[:, :2]).logits
    assert not torch.allclose(all_three, only_two, atol=1e-3)


def test_images_do_not_know_of_one_another(stage: BoxStage, pyramid: PyramidRows) -> None:
    boxes, queries = torch.stack([BOXES, BOXES + 3]), torch.stack([QUERIES, -QUERIES])
    output = stage(pyramid, boxes, queries)
    exchanged = stage(pyramid, torch.stack([BOXES, BOXES]), torch.stack([QUERIES, QUERIES]))
    for left, right in zip(rows(output), rows(exchanged), strict=True):
        assert torch.allclose(left[0], right[0], atol=1e-5)


def test_every_class_starts_unlikely(stage: BoxStage, pyramid: PyramidRows) -> None:
    output = stage(pyramid, BOXES.expand(2, -1, -1), QUERIES.expand(2, -1, -1))
    assert stage.class_logits.bias.sigmoid().tolist() == pytest.approx([0.01] * 3)
    assert output.logits.sigmoid().mean() < 0.1
