"""AdamW and its learning rate: a pure function of the step, so nothing needs to be resumed."""

import math
from collections.abc import Sequence, Set
from typing import Any

from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

from qivis.config.schema import OptimConfig
from qivis.models.queryinst import QueryInst

DECAY = 0.1  # at each milestone of the step schedule
# Of weights without decay, if so asked; published for Swin (hustvl/QueryInst, configs/queryinst).
UNDECAYED = ("norm", "relative_position_bias_table")
COSINE_FLOOR = 0.01  # what is left of the rate at the end of the cosine schedule


def build_optimizer(model: QueryInst, config: OptimConfig) -> AdamW:
    """AdamW over all weights that learn; the backbone has a rate of its own.

    Weight decay is applied to everything, norms and biases too (mmdetection configs/queryinst),
    unless `decay_norms` is off: then not to weights that have a word of `UNDECAYED` in their name.
    """
    undecayed = () if config.decay_norms else UNDECAYED
    decayed: list[Parameter] = []
    rest: list[Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (rest if any(word in name for word in undecayed) else decayed).append(parameter)
    backbone = {id(p) for p in model.backbone.parameters()}
    groups = _by_rate(decayed, config.weight_decay, backbone, config)
    groups += _by_rate(rest, 0.0, backbone, config) if rest else []
    return AdamW(groups, fused=True)  # in one pass over the weights, not in several


def _by_rate(
    parameters: Sequence[Parameter], decay: float, backbone: Set[int], config: OptimConfig
) -> list[dict[str, Any]]:
    """Two groups of parameters: those of the backbone, whose ids are given, and all others."""
    slow = config.lr * config.backbone_lr_factor
    return [
        {
            "params": [p for p in parameters if (id(p) in backbone) == is_backbone],
            "lr": lr,
            "peak_lr": lr,
            "weight_decay": decay,
        }
        for is_backbone, lr in ((True, slow), (False, config.lr))
    ]


def set_learning_rate(
    optimizer: Optimizer, step: int, steps_per_epoch: int, config: OptimConfig
) -> float:
    """Set the rates for a step, from 0, and return the share of their peak."""
    factor = learning_rate_factor(step, steps_per_epoch, config)
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return factor


def learning_rate_factor(step: int, steps_per_epoch: int, config: OptimConfig) -> float:
    """The share of the peak rate at a step, from 0: warm-up times schedule."""
    if config.schedule == "step":
        passed = sum(step >= epoch * steps_per_epoch for epoch in config.milestones)
        scheduled = DECAY**passed
    else:
        progress = step / (config.epochs * steps_per_epoch)
        wave = (1 + math.cos(math.pi * progress)) / 2
        scheduled = COSINE_FLOOR + (1 - COSINE_FLOOR) * wave
    ramp = min(1.0, step / config.warmup_steps) if config.warmup_steps else 1.0
    return scheduled * (config.warmup_factor + (1 - config.warmup_factor) * ramp)
