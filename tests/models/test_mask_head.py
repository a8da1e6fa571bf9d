"""The mask head draws a mask of one class for every query, and none for none."""

import pytest
import torch

from qivis.models.mask_head import ClassLogits, MaskHead


def make_head(norm: str) -> MaskHead:
    torch.manual_seed(0)
    return MaskHead(num_classes=3, width=16, dynamic_width=4, grid=7, norm=norm)


def labels_of(count: int) -> torch.Tensor:
    return torch.arange(count) % 3


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("count", [2, 0])
def test_masks_are_twice_as_fine_as_the_features(norm: str, count: int) -> None:
    drawn = make_head(norm)(torch.randn(count, 16), torch.randn(count, 49, 16), labels_of(count))
    assert drawn.shape == (count, 14, 14)


def test_each_mask_is_that_of_its_class() -> None:
    logits = ClassLogits(4, 3)
    features = torch.randn(2, 4, 5, 6)
    with torch.no_grad():
        drawn = logits(features, torch.tensor([2, 0]))
    for mask, picture, label in zip(drawn, features, (2, 0), strict=True):
        weight, bias = logits.weight[label, :, 0, 0], logits.bias[label]
        expected = (picture * weight[:, None, None]).sum(0) + bias
        torch.testing.assert_close(mask, expected)


def test_classes_that_are_not_drawn_learn_nothing() -> None:
    head = make_head("group")
    head(torch.randn(2, 16), torch.randn(2, 49, 16), torch.tensor([1, 1])).sum().backward()
    assert head.logits.weight.grad[1].any()
    assert not head.logits.weight.grad[[0, 2]].any()


def test_nothing_to_draw_leaves_the_statistics_alone() -> None:
    head = make_head("batch").train()
    head(torch.zeros(0, 16), torch.zeros(0, 49, 16), labels_of(0)).sum().backward()
    assert all(buffer.isfinite().all() for buffer in head.buffers())
    assert not head.convs[1].running_mean.any()


def test_batch_statistics_are_learned() -> None:
    head = make_head("batch").train()
    head(torch.randn(2, 16), torch.randn(2, 49, 16), labels_of(2))
    assert head.convs[1].running_mean.any()


def test_a_cell_of_the_features_is_four_cells_of_the_mask() -> None:
    head = make_head("group")
    head.convs = torch.nn.Identity()  # they look around
    queries, features = torch.randn(1, 16), torch.randn(1, 7, 7, 16)
    changed = features.clone()
    changed[0, 2, 5] += torch.randn(16)
    before, after = (
        head(queries, rows.flatten(1, 2), labels_of(1)) for rows in (features, changed)
    )
    where = (after - before)[0].abs() > 1e-4
    assert where[4:6, 10:12].all()
    assert where.sum() == 4


def test_masks_of_one_query_do_not_depend_on_the_others() -> None:
    head = make_head("group").eval()
    queries, features = torch.randn(3, 16), torch.randn(3, 49, 16)
    labels = labels_of(3)
    alone = head(queries[1:2], features[1:2], labels[1:2])
    assert torch.allclose(head(queries, features, labels)[1], alone[0], atol=1e-5)
