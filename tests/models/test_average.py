from dataclasses import replace

import pytest
import torch

from qivis.config import InputConfig
from qivis.errors import WeightsError
from qivis.models.average import average_weights
from qivis.models.build import build_model
from qivis.models.weights import load_weights, save_weights
from qivis.structures import Categories, Category


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


def refuse(before, after, message):
    out = after.with_name("out.safetensors")
    with pytest.raises(WeightsError, match=message):
        average_weights(before, after, out, 0.5, torch.float32)
    assert not out.exists()


def test_networks_of_different_shape_are_not_averaged(tiny_weights, tmp_path):
    other = variant(tiny_weights, tmp_path / "other.safetensors", torch.ones_like, num_queries=5)
    message = r"num_queries is 8, but 5 in .*other\.safetensors; expected two networks of one arch"
    refuse(tiny_weights, other, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"categories": Categories((Category(1, "b"), Category(2, "a"), Category(3, "c")))},
            r"classes is \('circle', 'square', 'triangle'\), but \('b', 'a', 'c'\) in",
        ),
        ({"input": InputConfig(short_side=80, long_side=96)}, "short_side is 64, but 80 in"),
        ({"inference_only": True}, "inference_only is False, but True in"),
    ],
    ids=["classes", "input", "training heads"],
)
def test_weights_that_mean_something_else_are_not_averaged(tiny_weights, tmp_path, change, message):
    model, header = load_weights(tiny_weights)
    other = tmp_path / "other.safetensors"
    save_weights(other, model, replace(header, **change), torch.float32)
    refuse(tiny_weights, other, message)


def test_ids_of_the_classes_may_differ(tiny_weights, tmp_path):
    model, header = load_weights(tiny_weights)
    entries = tuple(Category(7 + category.id, category.name) for category in header.categories)
    other = tmp_path / "other.safetensors"
    save_weights(other, model, replace(header, categories=Categories(entries)), torch.float32)
    average_weights(tiny_weights, other, tmp_path / "out.safetensors", 0.5, torch.float32)
    assert load_weights(tmp_path / "out.safetensors")[1].categories.entries == entries
