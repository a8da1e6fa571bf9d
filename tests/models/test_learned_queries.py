"""Learned proposals are shares of the picture, not of the padded canvas."""

import torch

from qivis.models.learned_queries import LearnedQueries


def test_new_boxes_are_the_pictures_without_their_padding() -> None:
    initial = LearnedQueries(num_queries=3, width=5)((), torch.tensor([[90.0, 60.0], [50.0, 64.0]]))
    assert initial.boxes.tolist() == [[[0, 0, 90, 60]] * 3, [[0, 0, 50, 64]] * 3]
    assert initial.dense == ()


def test_boxes_are_centre_and_size_in_shares() -> None:
    queries = LearnedQueries(num_queries=1, width=5)
    with torch.no_grad():
        queries.boxes.weight.copy_(torch.tensor([0.5, 0.25, 0.2, 0.5]))
    expected = torch.tensor([[[80.0, 0.0, 120.0, 50.0]]])
    assert torch.allclose(queries((), torch.tensor([[200.0, 100.0]])).boxes, expected, atol=1e-3)


def test_all_images_start_from_the_same_queries() -> None:
    queries = LearnedQueries(num_queries=3, width=5)
    initial = queries((), torch.tensor([[90.0, 60.0], [50.0, 64.0]]))
    assert initial.queries.shape == (2, 3, 5)
    assert torch.equal(initial.queries[1], queries.features.weight)
