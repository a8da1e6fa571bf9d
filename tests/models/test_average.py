from dataclasses import replace

import pytest
import torch

from qivis.errors import WeightsError
from qivis.models.average import average_weights
from qivis.models.build import build_model
from qivis.models.weights import load_weights, save_weights


def variant(weights, path, change, **model_settings):
    """The network of a weights file, changed tensor by tensor."""
    model, header = load_weights(weights)
    if model_settings:
        settings = replace(header.model, **model_settings)
        header = replace(header, model=settings)
        model = build_model(settings, len(header.categories))
    state = {name: change(tensor) for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    save_weights(path, model, header, torch.float32)
    return path


def test_every_weight_is_the_mean_and_the_association_head_is_the_second_ones(
    tiny_weights, tmp_path
):
    before = variant(tiny_weights, tmp_path / "before.safetensors", torch.zeros_like)
    after = variant(
        tiny_weights, tmp_path / "after.safetensors", torch.ones_like, association="mlp"
    )
    average_weights(before, after, tmp_path / "out.safetensors", 0.25, torch.float32)
    model, header = load_weights(tmp_path / "out.safetensors")
    assert header.model.association == "mlp"
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            expected = 1.0 if name.startswith("association.") else 0.25
            assert (tensor == expected).all(), name


def test_networks_of_different_shape_are_not_averaged(tiny_weights, tmp_path):
    other = variant(tiny_weights, tmp_path / "other.safetensors", torch.ones_like, num_queries=5)
    with pytest.raises(WeightsError, match="expected two networks of one architecture"):
        average_weights(tiny_weights, other, tmp_path / "out.safetensors", 0.5, torch.float32)
    assert not (tmp_path / "out.safetensors").exists()
