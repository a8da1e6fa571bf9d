"""Which (query, class) pairs become detections, and whose masks are drawn."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from qivis.config.schema import InputConfig
from qivis.models.inputs import prepare
from qivis.models.outputs import Chosen, Prediction
from qivis.models.postprocess import select_detections
from qivis.models.queryinst import QueryInst
from qivis.ops.masks import paste_masks
from qivis.structures import Detections
from tests.tiny import NUM_CLASSES, TINY, noise, tiny_model

SIZES = [(48, 64), (64, 40)]
FRAME_SIZES = [(96, 128), (32, 20)]  # twice and half


@pytest.fixture(scope="module")
def model() -> QueryInst:
    return tiny_model()


@pytest.fixture(scope="module")
def prediction(model: QueryInst) -> Prediction:
    """Of two images; nothing is likely yet."""
    with torch.no_grad():
        made = model(prepare([noise(size) for size in SIZES], InputConfig()))
    # Boxes of the size of objects, so that there are masks to see.
    boxes = torch.tensor([[4.0, 6.0, 36.0, 30.0]]) + torch.arange(8)[:, None]
    return with_last(made, boxes=boxes.expand(2, 8, 4))


def with_last(prediction: Prediction, **fields: Tensor) -> Prediction:
    *before, last = prediction.stages
    return replace(prediction, stages=(*before, replace(last, **fields)))


def with_scores(prediction: Prediction, scores: dict[tuple[int, int, int], float]) -> Prediction:
    """Scores by image, query and class; all others are about 0."""
    logits = torch.full((2, 8, NUM_CLASSES), -20.0)
    for where, score in scores.items():
        logits[where] = torch.tensor(score).logit()
    return with_last(prediction, logits=logits)


def select(
    model: QueryInst, prediction: Prediction, score_threshold: float = 0.3, most: int = 100
) -> list[Detections]:
    return select_detections(
        model, prediction, FRAME_SIZES, score_threshold=score_threshold, max_detections=most
    )


def test_the_best_pairs_of_each_image_come_in_order(
    model: QueryInst, prediction: Prediction
) -> None:
    scores = {(0, 3, 1): 0.5, (0, 5, 2): 0.9, (0, 1, 0): 0.2, (1, 0, 0): 0.4}
    first, second = select(model, with_scores(prediction, scores))
    assert first.labels.tolist() == [2, 1]
    assert first.scores.tolist() == pytest.approx([0.9, 0.5])
    assert (second.labels.tolist(), second.size) == ([0], (32, 20))
    assert torch.equal(first.embeddings, prediction.stages[-1].queries[0, [5, 3]])


def test_boxes_and_masks_are_in_pixels_of_the_frames(
    model: QueryInst, prediction: Prediction
) -> None:
    first, second = select(model, with_scores(prediction, {(0, 0, 1): 0.9, (1, 2, 1): 0.9}))
    assert first.boxes.tolist() == [[8, 12, 72, 60]]
    assert second.boxes.tolist() == [[3, 4, 19, 16]]
    assert (first.masks.shape, second.masks.shape) == ((1, 96, 128), (1, 32, 20))


def test_one_query_with_two_classes_appears_twice_each_with_its_own_mask(
    model: QueryInst, prediction: Prediction
) -> None:
    first, _ = select(model, with_scores(prediction, {(0, 4, 2): 0.9, (0, 4, 0): 0.8}))
    assert first.labels.tolist() == [2, 0]
    assert torch.equal(first.boxes[0], first.boxes[1])
    nothing = torch.zeros(0, dtype=torch.int64)
    with torch.no_grad():
        twice = Chosen.of([torch.tensor([4, 4]), nothing])
        logits = model.mask_logits(prediction, 1, twice, torch.tensor([2, 0]))
    expected = paste_masks(logits.sigmoid(), first.boxes, FRAME_SIZES[0])
    assert torch.equal(first.masks, expected)
    assert not torch.equal(first.masks[0], first.masks[1])


def test_only_what_is_kept_is_drawn(model: QueryInst, prediction: Prediction) -> None:
    drawn = []
    handle = model.mask_heads[-1].register_forward_hook(
        lambda _module, _inputs, output: drawn.append(len(output))
    )
    select(model, with_scores(prediction, {(0, 3, 1): 0.5, (1, 5, 2): 0.9, (1, 1, 0): 0.2}))
    handle.remove()
    assert drawn == [2]


def test_no_more_than_the_asked_number_is_kept(model: QueryInst, prediction: Prediction) -> None:
    counts = [len(found) for found in select(model, prediction, score_threshold=0.0, most=5)]
    assert counts == [5, 5]
    counts = [len(found) for found in select(model, prediction, score_threshold=0.0, most=100)]
    assert counts == [8 * NUM_CLASSES] * 2


def test_images_in_which_nothing_is_likely_have_no_detections(
    model: QueryInst, prediction: Prediction
) -> None:
    first, second = select(model, with_scores(prediction, {}))
    assert (len(first), len(second)) == (0, 0)
    assert (first.masks.shape, second.masks.shape) == ((0, 96, 128), (0, 32, 20))


def test_embeddings_are_those_of_the_head_or_the_queries(prediction: Prediction) -> None:
    model = tiny_model(replace(TINY, association="mlp", embedding_width=12))
    for learned, width in ((True, 12), (False, TINY.width)):
        first, _ = select_detections(
            model,
            prediction,
            FRAME_SIZES,
            score_threshold=0.0,
            max_detections=5,
            learned_embeddings=learned,
        )
        assert first.embeddings.shape == (5, width)
    best = prediction.stages[-1].logits[0].flatten().argmax() // NUM_CLASSES
    assert torch.equal(first.embeddings[0], prediction.stages[-1].queries[0, best])
