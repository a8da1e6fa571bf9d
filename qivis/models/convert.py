"""Weights files of another kind: published ones become the project's own, own ones smaller.

The network of published weights is read off the tensors' shapes.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from qivis.config.schema import InputConfig, ModelConfig, TrackingConfig
from qivis.errors import WeightsError
from qivis.models.coco_categories import COCO_CATEGORIES
from qivis.models.queryinst import QueryInst
from qivis.models.weights import (
    WeightsHeader,
    build_for,
    load_weights,
    own_names,
    read_published,
    save_weights,
)

BACKBONES: Mapping[int, Literal["resnet50", "resnet101"]] = {6: "resnet50", 23: "resnet101"}
"""By the number of blocks in their third stage."""


def convert(weights: Path, out: Path, *, inference_only: bool, dtype: torch.dtype) -> None:
    """Write weights as a qivis weights file of another kind.

    Args:
        weights: a mmdetection QueryInst checkpoint (version 2 or 3), trained on COCO, or a qivis
            weights file (.safetensors).
        out: the file to write.
        inference_only: whether to leave out the mask heads that only training needs.
        dtype: of the written floating-point weights.

    Raises:
        WeightsError: if the weights cannot be read, the checkpoint is no QueryInst of COCO's 80
            classes, or the file cannot be written.
    """
    is_own = weights.suffix == ".safetensors"
    model, header = load_weights(weights) if is_own else _load_published(weights)
    header = replace(header, inference_only=inference_only or header.inference_only)
    try:
        save_weights(out, model, header, dtype)
    except OSError as error:
        raise WeightsError(f"{out}: cannot be written ({error.strerror})") from error


def describe(state_dict: Mapping[str, Tensor], source: str) -> ModelConfig:
    """The network that published weights belong to.

    Args:
        state_dict: by the published names.
        source: the file, for error messages.

    Raises:
        WeightsError: if this is no QueryInst with a backbone that qivis knows and 80 classes.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    stage = "roi_head.bbox_head.0"
    try:
        num_queries, width = shapes["rpn_head.init_proposal_features.weight"]
        (dynamic_width,) = shapes[f"{stage}.instance_interactive_conv.norm_in.weight"]
        flat_width = shapes[f"{stage}.instance_interactive_conv.fc_layer.weight"][1]
        ffn_width = shapes[f"{stage}.ffn.layers.0.0.weight"][0]
        num_classes = shapes[f"{stage}.fc_cls.weight"][0]
        backbone = BACKBONES[sum(_is_third_stage_block(name) for name in shapes)]
        box_grid = math.isqrt(flat_width // width)
    except (LookupError, ValueError, ZeroDivisionError) as error:
        found = f"looked for {error}" if isinstance(error, KeyError) else "its shapes are others"
        raise WeightsError(
            f"{source}: not a published QueryInst with a ResNet-50 or -101 ({found})"
        ) from error
    if num_classes != len(COCO_CATEGORIES):
        raise WeightsError(f"{source}: expected weights for COCO's 80 classes, got {num_classes}")
    return ModelConfig(
        backbone=backbone,
        num_queries=num_queries,
        num_stages=sum(name.endswith(".fc_cls.weight") for name in shapes),
        width=width,
        ffn_width=ffn_width,
        dynamic_width=dynamic_width,
        box_grid=box_grid,
    )


def _load_published(path: Path) -> tuple[QueryInst, WeightsHeader]:
    state_dict = read_published(path)
    header = WeightsHeader(
        model=describe(state_dict, str(path)),
        input=InputConfig(),
        tracking=TrackingConfig(),
        categories=COCO_CATEGORIES,
        inference_only=False,
    )
    return build_for(own_names(state_dict), header, str(path)), header


def _is_third_stage_block(name: str) -> bool:
    return name.startswith("backbone.layer3.") and name.endswith(".conv1.weight")
