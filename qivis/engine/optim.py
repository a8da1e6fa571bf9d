"""AdamW and its learning rate: a pure function of the step, so nothing needs to be resumed."""

import math

from torch.optim import AdamW, Optimizer

from qivis.config.schema import OptimConfig
from qivis.models.queryinst import QueryInst

DECAY = 0.1  # at each milestone of the step schedule
COSINE_FLOOR = 0.01  # what is left of the rate at the end of the cosine schedule


def build_optimizer(model: QueryInst, config: OptimConfig) -> AdamW:
    """AdamW over all weights that learn; the backbone has a rate of its own.

    Weight decay is applied to everything, norms and biases too (mmdetection configs/queryinst).
    """
    backbone = {id(p) for p in model.backbone.parameters()}
    learning = [p for p in model.parameters() if p.requires_grad]
    slow = config.lr * config.backbone_lr_factor
    groups = [
        {"params": [p for p in learning if id(p) in backbone], "lr": slow, "peak_lr": slow},
        {
            "params": [p for p in learning if id(p) not in backbone],
            "lr": config.lr,
            "peak_lr": config.lr,
        },
    ]
    return AdamW(groups, weight_decay=config.weight_decay)


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
