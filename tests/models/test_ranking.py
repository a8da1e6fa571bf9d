"""Which pairs become detections, on scores and boxes written down."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from qivis.config.schema import InputConfig, ModelConfig
from qivis.models.inputs import prepare
from qivis.models.outputs import Prediction
from qivis.models.ranking import Pairs, best_pairs, judge_masks
from tests.tiny import FEATURIZED, TINY, noise, tiny_model

FAR = [100.0, 100.0, 120.0, 120.0]
CLOSE = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 7.0]]  # IoU 0.7


def prediction_of(
    config: ModelConfig, stage: Tensor, boxes: Tensor, proposed: Tensor
) -> Prediction:
    """With these probabilities of the last stage and of the dense head, (Q, K) each."""
    with torch.no_grad():
        made = tiny_model(config)(prepare([noise((48, 64))], InputConfig()))
    last = replace(made.stages[-1], logits=stage.logit()[None], boxes=boxes[None])
    initial = made.initial
    if initial.dense:
        initial = replace(initial, proposed=(proposed.logit()[None],))
    return replace(made, stages=(*made.stages[:-1], last), initial=initial)


STAGE = torch.tensor([[0.81, 0.04], [0.64, 0.09], [0.25, 0.01]])
DENSE = torch.tensor([[0.01, 0.04], [0.16, 0.01], [0.36, 0.01]])
BOXES = torch.tensor([*CLOSE, FAR])


def test_learned_queries_are_ranked_as_published_without_nms() -> None:
    prediction = prediction_of(TINY, STAGE, BOXES, DENSE)
    (pairs,) = best_pairs(prediction, score_threshold=0.2, max_detections=9)
    assert pairs.queries.tolist() == [0, 1, 2]
    assert pairs.scores.tolist() == pytest.approx([0.81, 0.64, 0.25])
    (pairs,) = best_pairs(prediction, score_threshold=0.0, max_detections=4)
    assert list(zip(pairs.queries.tolist(), pairs.labels.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (2, 0),
        (1, 1),
    ]


def test_featurized_queries_have_the_geometric_mean_and_are_thinned_out_by_class() -> None:
    prediction = prediction_of(FEATURIZED, STAGE, BOXES, DENSE)
    (pairs,) = best_pairs(prediction, score_threshold=0.035, max_detections=9)
    # sqrt(0.64 * 0.16) beats its neighbour's sqrt(0.81 * 0.01), which is of the same class;
    # sqrt(0.04 * 0.04) of the other class stays.
    assert list(zip(pairs.queries.tolist(), pairs.labels.tolist(), strict=True)) == [
        (1, 0),
        (2, 0),
        (0, 1),
    ]
    assert pairs.scores.tolist() == pytest.approx([0.32, 0.30, 0.04])


def test_a_box_that_is_not_finite_is_no_detection() -> None:
    boxes = BOXES.clone()
    boxes[0, 2], boxes[1, 0] = float("nan"), -float("inf")
    for config in (TINY, FEATURIZED):
        prediction = prediction_of(config, STAGE, boxes, DENSE)
        (pairs,) = best_pairs(prediction, score_threshold=0.0, max_detections=9)
        assert set(pairs.queries.tolist()) == {2}


def test_no_more_remain_than_are_asked_for() -> None:
    prediction = prediction_of(FEATURIZED, STAGE, BOXES, DENSE)
    (pairs,) = best_pairs(prediction, score_threshold=0.0, max_detections=2)
    assert pairs.queries.tolist() == [1, 2]


def test_unclear_masks_lower_the_score() -> None:
    pairs = Pairs(torch.tensor([4, 7, 2]), torch.tensor([0, 1, 1]), torch.tensor([0.9, 0.8, 0.5]))
    masks = torch.zeros(3, 2, 2)
    masks[0, 0] = 0.6
    masks[1, 0, 0], masks[1, 1, 1] = 1.0, 0.8
    masks[1, 0, 1] = 0.4  # outside the mask: does not count
    judged, sorted_masks = judge_masks(pairs, masks, score_threshold=0.0)
    assert judged.queries.tolist() == [7, 4, 2]
    assert judged.labels.tolist() == [1, 0, 1]
    assert judged.scores.tolist() == pytest.approx([0.8 * 0.9, 0.9 * 0.6, 0.0])
    assert torch.equal(sorted_masks, masks[[1, 0, 2]])
    judged, kept = judge_masks(pairs, masks, score_threshold=0.6)
    assert judged.queries.tolist() == [7]
    assert len(kept) == 1
