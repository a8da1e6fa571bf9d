from dataclasses import replace

import pytest
import torch

from qivis.structures import Detections
from qivis.tracking.sightings import GRID_SIDE, sight_looks, sight_masks


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


EACH_FOR_ITSELF = torch.arange(3)


@pytest.mark.parametrize("sight", [sight_looks, sight_masks])
def test_the_chosen_detections_are_seen_in_the_order_asked_for(sight):
    seen = sight(detections(3), torch.tensor([2, 0]), EACH_FOR_ITSELF[:2])
    assert seen.rows.tolist() == [2, 0]
    assert seen.boxes[:, 0].tolist() == [20, 0]
    assert seen.labels.tolist() == [2, 0]
    torch.testing.assert_close(seen.scores, torch.tensor([0.1, 0.9]))
    torch.testing.assert_close(seen.class_scores, torch.tensor([[0, 0, 0.1], [0.9, 0, 0]]))


def test_looks_are_directions_and_stay_without_masks():
    seen = sight_looks(detections(2), torch.tensor([1]), EACH_FOR_ITSELF[:1])
    torch.testing.assert_close(seen.looks, torch.tensor([[0.6, 0.8]]))
    assert seen.grids.shape == (1, 0, 0)


def test_masks_become_grids_and_stay_without_looks():
    seen = sight_masks(detections(2), torch.tensor([1]), EACH_FOR_ITSELF[:1])
    assert seen.grids.shape == (1, GRID_SIDE, GRID_SIDE)
    assert seen.grids[0, : GRID_SIDE // 2].all()
    assert not seen.grids[0, GRID_SIDE // 2 :].any()
    assert seen.looks.shape == (1, 0)


@pytest.mark.parametrize("sight", [sight_looks, sight_masks])
def test_who_stands_for_others_has_the_scores_of_their_classes(sight):
    # In order of score: 0; 1, a duplicate; 2; 3 for 2; 4 for 0.
    standing = torch.tensor([0, -1, 2, 2, 0])
    seen = sight(detections(5), torch.arange(5), standing)
    assert seen.rows.tolist() == [0, 2]
    expected = torch.tensor([[0.9, 0, 0, 0, 0.1], [0, 0, 0.5, 0.3, 0]])
    torch.testing.assert_close(seen.class_scores, expected)


@pytest.mark.parametrize("sight", [sight_looks, sight_masks])
def test_a_class_that_was_detected_twice_in_a_box_has_the_better_score(sight):
    found = replace(detections(3), labels=torch.tensor([1, 0, 1]))
    scores = sight(found, torch.arange(3), torch.tensor([0, 0, 0])).class_scores
    torch.testing.assert_close(scores, torch.tensor([[0.5, 0.9]]))


@pytest.mark.parametrize("sight", [sight_looks, sight_masks])
@pytest.mark.parametrize("number", [0, 2])
def test_no_detection_is_no_special_case(sight, number):
    nobody = torch.zeros(0, dtype=torch.int64)
    assert len(sight(detections(number), nobody, nobody)) == 0
