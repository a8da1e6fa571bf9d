import torch

from qivis.structures import Detections
from qivis.tracking.sightings import sight


def detections(number):
    """Objects of ten pixels each way, whose upper halves are covered, ten pixels apart."""
    left = 10.0 * torch.arange(number)
    masks = torch.zeros(number, 20, 40, dtype=torch.bool)
    masks[:, :5] = True
    return Detections(
        size=(20, 40),
        boxes=torch.stack([left, 0 * left, left + 10, 0 * left + 10], dim=1),
        labels=torch.arange(number),
        scores=torch.linspace(0.9, 0.1, number),
        masks=masks,
        embeddings=torch.tensor([[3.0, 4.0]]).repeat(number, 1),
    )


def test_the_chosen_detections_are_seen_in_the_order_asked_for():
    seen = sight(detections(3), torch.tensor([2, 0]), grid_side=2)
    assert seen.boxes[:, 0].tolist() == [20, 0]
    assert seen.labels.tolist() == [2, 0]
    torch.testing.assert_close(seen.scores, torch.tensor([0.1, 0.9]))
    assert seen.grids.tolist() == [[[True, True], [False, False]]] * 2


def test_looks_are_directions():
    torch.testing.assert_close(
        sight(detections(1), torch.tensor([0]), 0).looks, torch.tensor([[0.6, 0.8]])
    )


def test_without_cells_nothing_is_remembered_of_a_mask():
    assert sight(detections(2), torch.arange(2), grid_side=0).grids.shape == (2, 0, 0)


def test_no_detection_is_no_special_case():
    nobody = torch.zeros(0, dtype=torch.int64)
    assert sight(detections(0), nobody, 4).grids.shape == (0, 4, 4)
    assert len(sight(detections(2), nobody, 0)) == 0
