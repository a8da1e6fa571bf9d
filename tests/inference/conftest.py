"""Weights with an association head, beside those of tests/conftest.py, which have none."""

from dataclasses import replace
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def embedding_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Like `tiny_weights`, but with embeddings of width 12, by which they associate."""
    import torch

    from qivis.config.schema import InputConfig, TrackingConfig
    from qivis.models.weights import WeightsHeader, save_weights
    from qivis.structures import Categories, Category
    from tests.tiny import TINY, tiny_model

    config = replace(TINY, association="mlp", embedding_width=12)
    names = ("circle", "square", "triangle")
    header = WeightsHeader(
        model=config,
        input=InputConfig(short_side=64, long_side=96),
        tracking=TrackingConfig(birth_score=0.0, association="embedding"),
        categories=Categories(tuple(Category(i, name) for i, name in enumerate(names))),
        inference_only=False,
    )
    path = tmp_path_factory.mktemp("weights") / "embedding.safetensors"
    save_weights(path, tiny_model(config), header, torch.float32)
    return path
