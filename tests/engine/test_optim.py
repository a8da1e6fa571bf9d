"""Learning rates at steps that can be worked out by hand, and what they are for."""

from dataclasses import replace

import pytest
import torch

from qivis.config.schema import OptimConfig
from qivis.engine.optim import build_optimizer, learning_rate_factor, set_learning_rate
from tests.tiny import TINY, noise, tiny_model

STEPS = OptimConfig(epochs=12, milestones=(8, 11), warmup_steps=0)
WARM_UP = OptimConfig(epochs=12, milestones=(8, 11), warmup_steps=100, warmup_factor=0.001)
COSINE = OptimConfig(epochs=10, schedule="cosine", warmup_steps=0)


@pytest.mark.parametrize(
    ("config", "step", "factor"),
    [
        (STEPS, 0, 1),
        (STEPS, 799, 1),
        (STEPS, 800, 0.1),
        (STEPS, 1099, 0.1),
        (STEPS, 1100, 0.01),
        (WARM_UP, 0, 0.001),
        (WARM_UP, 50, 0.5005),
        (WARM_UP, 100, 1),
        (WARM_UP, 900, 0.1),
        (COSINE, 0, 1),
        (COSINE, 250, 0.01 + 0.99 * (1 + 2**-0.5) / 2),
        (COSINE, 500, 0.505),
        (COSINE, 1000, 0.01),
    ],
)
def test_the_rate_is_a_function_of_the_step(config: OptimConfig, step: int, factor: float) -> None:
    assert learning_rate_factor(step, 100, config) == pytest.approx(factor)


def test_warm_up_and_schedule_multiply() -> None:
    config = OptimConfig(epochs=2, milestones=(1,), warmup_steps=200, warmup_factor=0.0)
    assert learning_rate_factor(100, 100, config) == pytest.approx(0.5 * 0.1)


def test_the_backbone_learns_at_a_rate_of_its_own() -> None:
    config = OptimConfig(lr=1e-3, backbone_lr_factor=0.1, weight_decay=0.05, warmup_steps=0)
    model = tiny_model()
    optimizer = build_optimizer(model, config)
    backbone, rest = optimizer.param_groups
    assert set_learning_rate(optimizer, 800, 100, config) == pytest.approx(0.1)
    assert (backbone["lr"], rest["lr"]) == pytest.approx((1e-5, 1e-4))
    assert backbone["weight_decay"] == rest["weight_decay"] == 0.05
    of_backbone = {id(parameter) for parameter in model.backbone.parameters()}
    assert {id(parameter) for parameter in backbone["params"]} <= of_backbone
    assert not {id(parameter) for parameter in rest["params"]} & of_backbone


def test_norms_and_position_biases_decay_unless_told_otherwise() -> None:
    model = tiny_model(replace(TINY, backbone="swin_t"))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    config = OptimConfig(lr=1e-3, weight_decay=0.05, decay_norms=False)
    groups = build_optimizer(model, config).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([1e-4, 1e-3] * 2)
    assert [group["weight_decay"] for group in groups] == [0.05, 0.05, 0, 0]
    slow, fast = ({names[id(p)] for p in group["params"]} for group in groups[2:])
    assert "backbone.body.features.1.0.attn.relative_position_bias_table" in slow
    assert "backbone.norms.0.bias" in slow
    assert "stages.0.ffn_norm.weight" in fast
    listed = [id(p) for group in groups for p in group["params"]]
    assert sorted(listed) == sorted(names)
    for group in groups[:2]:
        assert not any("norm" in names[id(p)] for p in group["params"])
    assert [g["weight_decay"] for g in build_optimizer(model, OptimConfig()).param_groups] == [
        *(1e-4, 1e-4)
    ]


def test_every_weight_that_learns_is_in_one_group() -> None:
    model = tiny_model()
    groups = build_optimizer(model, OptimConfig()).param_groups
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    learning = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert sorted(listed) == sorted(learning)


def test_a_step_leaves_frozen_weights_and_statistics_alone() -> None:
    model = tiny_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = build_optimizer(model, OptimConfig(lr=0.1, weight_decay=0.1))
    sum(
        level.square().mean() for level in model.backbone(torch.stack([noise((32, 32)) / 255]))
    ).backward()
    optimizer.step()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    statistics = {name for name, _ in model.backbone.named_buffers(prefix="backbone")}
    after = model.state_dict()
    assert frozen
    assert statistics
    assert all(torch.equal(after[name], before[name]) for name in frozen | statistics)
    last = "backbone.body._blocks.15._project_conv.weight"
    assert not torch.equal(after[last], before[last])
