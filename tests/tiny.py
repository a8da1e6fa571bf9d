"""Networks small enough to run in a test, and objects whose masks are known."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch

from qivis.config.schema import ModelConfig
from qivis.models.box_stage import BoxStage
from qivis.models.build import build_model
from qivis.models.featurized_queries import FeaturizedQueries
from qivis.models.queryinst import QueryInst
from qivis.structures import Targets

TINY = ModelConfig(
    backbone="efficientnet_lite0",
    num_queries=8,
    num_stages=2,
    width=32,
    num_heads=4,
    ffn_width=64,
    dynamic_width=8,
    mask_norm="group",
)
FEATURIZED = replace(TINY, queries="featurized")
NUM_CLASSES = 3


def tiny_model(config: ModelConfig = TINY, seed: int = 0) -> QueryInst:
    """Nobody trained it: its scores are all about 0.01. In evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(config, NUM_CLASSES).eval()


def spread_scores(model: QueryInst) -> QueryInst:
    """The same network, its class layers so strong that no two scores are close; for inference."""
    layers = [cast(BoxStage, stage).class_logits for stage in model.stages]
    if isinstance(model.queries, FeaturizedQueries):
        layers.append(model.queries.class_logits)
    with torch.no_grad():
        for layer in layers:
            generator = torch.Generator().manual_seed(1)
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / 4)
    return model


def noise(size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """(3, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)


def rectangles(
    size: tuple[int, int], boxes: Sequence[tuple[int, int, int, int]], labels: Sequence[int]
) -> Targets:
    """Objects that fill their boxes (x1 y1 x2 y2 in whole pixels); their ids count from 1."""
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return Targets(
        size=size,
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        masks=masks,
        ids=torch.arange(1, len(boxes) + 1),
    )
