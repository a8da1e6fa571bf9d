"""The R-50 network equals the published one, number by number.

Weights and inputs follow from `golden/rule.py`; the expected numbers in `golden/` are those of
mmdetection 3.3.0 (float32, CPU). What each entry means stands in `golden/README.md`.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from qivis.config import InputConfig, ModelConfig
from qivis.models.build import build_model
from qivis.models.inputs import prepare
from qivis.models.matcher import match
from qivis.models.outputs import Chosen, Prediction
from qivis.models.postprocess import select_detections
from qivis.models.queryinst import QueryInst
from qivis.models.training import ImageTraining
from qivis.models.weights import load_published
from qivis.structures import Batch, ImageBatch, Targets
from tests.golden import rule

pytestmark = pytest.mark.golden

EXPECTED = np.load(Path(__file__).parent / "golden" / "queryinst_r50_100.npz")
SIZES = [(160, 224), (192, 200)]
STAGES = range(6)
LOSSES = {"class": "loss_cls", "l1": "loss_bbox", "giou": "loss_iou", "mask": "loss_mask"}
# The published name of each weight whose gradient is known, and ours.
GRADIENTS = {
    "backbone.layer2.0.conv1.weight": "backbone.body.layer2.0.conv1.weight",
    "neck.fpn_convs.0.conv.weight": "fpn.output.0.weight",
    "rpn_head.init_proposal_bboxes.weight": "queries.boxes.weight",
    "rpn_head.init_proposal_features.weight": "queries.features.weight",
    "roi_head.bbox_head.0.instance_interactive_conv.dynamic_layer.weight": (
        "stages.0.interact.generate.weight"
    ),
    "roi_head.bbox_head.5.fc_reg.weight": "stages.5.box_deltas.weight",
    "roi_head.mask_head.0.instance_interactive_conv.dynamic_layer.weight": (
        "mask_heads.0.interact.generate.weight"
    ),
    "roi_head.mask_head.5.conv_logits.weight": "mask_heads.5.logits.weight",
    "roi_head.bbox_head.3.attention.attn.in_proj_weight": "stages.3.attention.in_proj_weight",
}


def published_weights() -> dict[str, torch.Tensor]:
    weights = {}
    for entry in EXPECTED["keys"]:
        name, shape = re.fullmatch(r"(\S+) \((.*)\)", str(entry)).groups()
        lengths = tuple(int(length) for length in re.findall(r"\d+", shape))
        weights[name] = torch.from_numpy(np.asarray(rule.weight(name, lengths, seed=0)))
    return weights


@pytest.fixture(scope="module")
def model() -> QueryInst:
    network = build_model(ModelConfig(), num_classes=80)
    load_published(network, published_weights())
    return network.eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    images, targets = [], []
    for seed, (height, width) in enumerate(SIZES):
        image, boxes, labels, masks = rule.scene(height, width, seed=seed, num_objects=3 + seed)
        images.append(torch.from_numpy(image).permute(2, 0, 1))
        targets.append(
            Targets(
                size=(height, width),
                boxes=torch.from_numpy(boxes),
                labels=torch.from_numpy(labels),
                masks=torch.from_numpy(masks).bool(),
                ids=torch.arange(len(boxes)),
            )
        )
    return Batch(tuple(images), tuple(targets), tuple(torch.zeros(0, 4) for _ in images), 1)


@pytest.fixture(scope="module")
def prediction(model: QueryInst, batch: Batch) -> Prediction:
    with torch.no_grad():
        return model(prepare(batch.images, InputConfig()))


@pytest.fixture(scope="module")
def trained(model: QueryInst, batch: Batch) -> dict[str, float]:
    """Losses and gradient norms of one training step, after which the model is as it was."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()
    losses = ImageTraining(model)(batch)
    torch.stack(list(losses.values())).sum().backward()
    figures = {name: value.item() for name, value in losses.items()}
    for name in GRADIENTS.values():
        figures[name] = model.get_parameter(name).grad.norm().item()
    model.zero_grad()
    for name, buffer in model.named_buffers():
        buffer.copy_(buffers[name])
    model.eval()
    return figures


def close(actual: torch.Tensor, name: str, tolerance: float) -> None:
    expected = torch.from_numpy(EXPECTED[name])
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


def test_the_network_has_as_many_parameters_as_published(model: QueryInst) -> None:
    assert sum(p.numel() for p in model.parameters()) == EXPECTED["num_params"]
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert learning == EXPECTED["num_trainable"]


@pytest.mark.parametrize("level", range(4))
def test_the_pyramid_is_the_published_one(prediction: Prediction, level: int) -> None:
    features = prediction.pyramid[level].contiguous()
    assert list(features.shape) == EXPECTED[f"fpn{level}_shape"].tolist()
    moments = torch.stack([features.mean(), features.std()])
    close(moments, f"fpn{level}_moments", 1e-3)
    positions = np.random.RandomState(1).randint(0, 2**31, 64) % features.numel()
    close(features.flatten()[positions], f"fpn{level}_samples", 1e-3)


def test_first_boxes_are_shares_of_the_image_without_its_padding(prediction: Prediction) -> None:
    close(prediction.initial.boxes, "proposals0", 0.02)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_refines_as_published(prediction: Prediction, stage: int) -> None:
    output = prediction.stages[stage]
    torch.testing.assert_close(
        output.boxes, torch.from_numpy(EXPECTED[f"s{stage}_boxes"]), atol=0.02, rtol=0
    )
    close(output.logits[..., :8], f"s{stage}_logits", 1e-3)
    close(output.queries[..., :8], f"s{stage}_query", 1e-3)


def test_masks_are_drawn_as_published(model: QueryInst, prediction: Prediction) -> None:
    first_six = Chosen.of([torch.arange(6)] * 2)
    with torch.no_grad():
        four = [
            model.mask_logits(prediction, 5, first_six, torch.full((12,), label))
            for label in range(4)
        ]
    close(torch.stack(four, dim=1).unflatten(0, (2, 6)), "mask_logits", 1e-3)


def test_detections_are_the_published_ones(model: QueryInst, prediction: Prediction) -> None:
    found = select_detections(model, prediction, SIZES, score_threshold=0.0, max_detections=100)
    for image, detections in enumerate(found):
        assert len(detections) == 100
        best = detections[:20]
        close(best.scores, f"det{image}_scores", 1e-4)
        assert best.labels.tolist() == EXPECTED[f"det{image}_labels"].tolist()
        torch.testing.assert_close(
            best.boxes, torch.from_numpy(EXPECTED[f"det{image}_boxes"]), atol=0.02, rtol=0
        )
        areas = best.masks.sum((1, 2)).numpy()
        # A pixel whose probability is 0.5 up to rounding may fall on either side.
        assert np.abs(areas - EXPECTED[f"det{image}_mask_area"]).max() <= 2


def test_every_stage_matches_queries_and_objects_as_published(
    prediction: Prediction, batch: Batch
) -> None:
    for stage in STAGES:
        matches = match(prediction.stages[stage], batch.targets, (2.0, 5.0, 2.0))
        for image, found in enumerate(matches):
            assigned = torch.zeros(100, dtype=torch.int64)
            assigned[found.queries] = found.objects + 1
            assert assigned.tolist() == EXPECTED["assigned_gt"][stage, image].tolist()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_the_published_ones(trained: dict[str, float], stage: int, name: str) -> None:
    expected = float(EXPECTED[f"loss/s{stage}.{LOSSES[name]}"])
    assert trained[f"stage{stage}/{name}"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("published", GRADIENTS)
def test_gradients_have_the_published_norms(trained: dict[str, float], published: str) -> None:
    expected = float(EXPECTED[f"gradnorm/{published}"])
    assert trained[GRADIENTS[published]] == pytest.approx(expected, rel=1e-3)


def test_all_known_gradients_are_checked() -> None:
    known = {name.removeprefix("gradnorm/") for name in EXPECTED.files if "gradnorm" in name}
    assert known == GRADIENTS.keys()


def test_a_batch_equals_its_images_run_singly(model: QueryInst, batch: Batch) -> None:
    """Each on the canvas that it has in the batch: padding is part of the input."""
    images = prepare(batch.images, InputConfig())
    with torch.no_grad():
        together = model(images)
        both = select_detections(model, together, SIZES, score_threshold=0.0, max_detections=20)
        for index, size in enumerate(SIZES):
            row = slice(index, index + 1)
            alone = model(ImageBatch(images.tensor[row], (size,), images.grids[row]))
            (single,) = select_detections(
                model, alone, [size], score_threshold=0.0, max_detections=20
            )
            torch.testing.assert_close(single.boxes, both[index].boxes, atol=0.01, rtol=0)
            torch.testing.assert_close(single.scores, both[index].scores, atol=1e-4, rtol=0)
            assert single.labels.tolist() == both[index].labels.tolist()
            assert (single.masks != both[index].masks).sum((1, 2)).max() <= 2
