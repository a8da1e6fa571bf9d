"""Settings decide what the network is made of."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from qivis.config.schema import ModelConfig
from qivis.models.build import build_model
from qivis.models.featurized_queries import FeaturizedQueries
from qivis.models.learned_queries import LearnedQueries
from tests.tiny import FEATURIZED, TINY, tiny_model


def test_every_setting_shows_in_the_network() -> None:
    model = tiny_model(replace(TINY, num_stages=3, mask_grid=10, box_grid=5))
    assert len(model.stages) == len(model.mask_heads) == 3
    assert model.queries.boxes.weight.shape == (8, 4)
    assert model.fpn.output[0].weight.shape == (32, 32, 3, 3)
    stage = model.stages[0]
    assert stage.attention.num_heads == 4
    assert stage.ffn[0].out_features == 64
    assert stage.interact.generate.out_features == 2 * 32 * 8
    assert stage.flatten.in_features == 5 * 5 * 32
    assert stage.class_logits.out_features == model.mask_heads[0].logits.out_channels == 3
    assert model.mask_heads[0].grid == 10


@pytest.mark.parametrize(
    ("config", "kind"), [(TINY, LearnedQueries), (FEATURIZED, FeaturizedQueries)], ids=str
)
def test_queries_are_of_the_wanted_kind(config: ModelConfig, kind: type[nn.Module]) -> None:
    assert isinstance(tiny_model(config).queries, kind)


def test_norms_of_the_mask_head_are_of_the_wanted_kind() -> None:
    grouped = tiny_model(TINY).mask_heads
    published = tiny_model(replace(TINY, mask_norm="batch")).mask_heads
    assert any(isinstance(part, nn.GroupNorm) for part in grouped.modules())
    assert any(isinstance(part, nn.BatchNorm2d) for part in published.modules())


def test_the_default_is_the_published_network() -> None:
    with torch.device("meta"):
        model = build_model(ModelConfig(), num_classes=80)
    assert len(model.stages) == 6
    assert model.queries.boxes.weight.shape == (100, 4)
    assert model.mask_heads[0].logits.out_channels == 80


def test_the_same_seed_gives_the_same_network() -> None:
    one, two, other = (tiny_model(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["fpn.output.0.weight"], other["fpn.output.0.weight"])
