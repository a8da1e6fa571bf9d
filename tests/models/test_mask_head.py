"""The mask head draws a mask for every class of every query, and none for none."""

import pytest
import torch

from qivis.models.mask_head import MaskHead


def make_head(norm: str) -> MaskHead:
    torch.manual_seed(0)
    return MaskHead(num_classes=3, width=16, dynamic_width=4, grid=7, norm=norm)


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("count", [2, 0])
def test_masks_are_twice_as_fine_as_the_features(norm: str, count: int) -> None:
    drawn = make_head(norm)(torch.randn(count, 16), torch.randn(count, 49, 16))
    assert drawn.shape == (count, 3, 14, 14)


def test_nothing_to_draw_leaves_the_statistics_alone() -> None:
    head = make_head("batch").train()
    head(torch.zeros(0, 16), torch.zeros(0, 49, 16)).sum().backward()
    assert all(buffer.isfinite().all() for buffer in head.buffers())
    assert not head.convs[1].running_mean.any()


def test_batch_statistics_are_learned() -> None:
    head = make_head("batch").train()
    head(torch.randn(2, 16), torch.randn(2, 49, 16))
    assert head.convs[1].running_mean.any()


def test_a_cell_of_the_features_is_four_cells_of_the_mask() -> None:
    head = make_head("group")
    head.convs = torch.nn.Identity()  # they look around
    queries, features = torch.randn(1, 16), torch.randn(1, 7, 7, 16)
    changed = features.clone()
    changed[0, 2, 5] += torch.randn(16)
    difference = head(queries, changed.flatten(1, 2)) - head(queries, features.flatten(1, 2))
    where = difference[0, 0].abs() > 1e-4
    assert where[4:6, 10:12].all()
    assert where.sum() == 4


def test_masks_of_one_query_do_not_depend_on_the_others() -> None:
    head = make_head("group").eval()
    queries, features = torch.randn(3, 16), torch.randn(3, 49, 16)
    assert torch.allclose(
        head(queries, features)[1], head(queries[1:2], features[1:2])[0], atol=1e-5
    )
