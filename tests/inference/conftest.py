"""A tiny network with weights that nobody trained, as a weights file."""

from pathlib import Path

import pytest
import torch

from qivis.config.schema import InputConfig, ModelConfig, TrackingConfig
from qivis.models.build import build_model
from qivis.models.weights import WeightsHeader, save_weights
from qivis.structures import Categories, Category


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its scores are all about 0.01, so that only a low threshold lets detections through."""
    config = ModelConfig(
        backbone="efficientnet_lite0",
        num_queries=8,
        num_stages=2,
        width=32,
        num_heads=4,
        ffn_width=64,
        dynamic_width=8,
        mask_norm="group",
    )
    header = WeightsHeader(
        model=config,
        input=InputConfig(short_side=64, long_side=96),
        tracking=TrackingConfig(birth_score=0.0, min_frames=2),
        categories=Categories(
            (Category(1, "circle"), Category(3, "square"), Category(7, "triangle"))
        ),
        inference_only=False,
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_weights(path, build_model(config, 3), header, torch.float32)
    return path
