import copy
from dataclasses import replace

import pytest
import torch

from qivis.config.schema import ModelConfig
from qivis.models.build import build_model
from qivis.models.optimize_training import FrozenStage, optimize_training
from qivis.models.training import ImageTraining
from qivis.structures import Batch
from tests.tiny import FEATURIZED, NUM_CLASSES, noise, rectangles

OBJECTS = [(10, 10, 40, 50), (50, 20, 90, 60)]
LITE0 = replace(FEATURIZED, width=96)
RESNET = ModelConfig(num_queries=8, num_stages=1, width=96, ffn_width=64, dynamic_width=8)


def batch(size=(96, 128)):
    targets = rectangles(size, OBJECTS, [0, 2])
    pictures = (noise(size), noise(size, seed=1))
    return Batch(pictures, (targets, targets), (torch.zeros(0, 4),) * 2, clip_length=1)


def lively(model):
    """The same with batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for name, buffer in model.backbone.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            centre = 1.0 if name.endswith("var") else 0.0
            buffer.copy_(torch.rand(buffer.shape, generator=generator) - 0.5 + centre)
    return model


def learned(model):
    model.train()
    losses = ImageTraining(model)(batch())
    torch.stack(list(losses.values())).sum().backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {name: loss.item() for name, loss in losses.items()}, gradients


@pytest.mark.parametrize("config", [LITE0, RESNET], ids=["lite0", "resnet"])
def test_what_is_learned_is_the_same_up_to_rounding(config):
    plain = lively(build_model(config, NUM_CLASSES).to(memory_format=torch.channels_last))
    faster = copy.deepcopy(plain)
    optimize_training(faster)
    losses, gradients = learned(faster)
    expected_losses, expected = learned(plain)
    assert losses == pytest.approx(expected_losses, rel=1e-4)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        # Units near their kinks fall to either side: weights changed by 2e-7 do as much (1.2 %).
        apart = (gradient - expected[name]).norm()
        assert apart <= 3e-2 * expected[name].norm() + 1e-6, name


@pytest.mark.parametrize("config", [LITE0, RESNET], ids=["lite0", "resnet"])
def test_weights_and_their_names_stay(config):
    model = build_model(config, NUM_CLASSES)
    names, parameters = list(model.state_dict()), list(model.parameters())
    optimize_training(model)
    assert list(model.state_dict()) == names
    assert all(new is old for new, old in zip(model.parameters(), parameters, strict=True))


@pytest.mark.parametrize("config", [LITE0, RESNET], ids=["lite0", "resnet"])
def test_the_frozen_stage_is_fused_while_the_rest_learns_and_else_plain_to_the_bit(config):
    model = lively(build_model(config, NUM_CLASSES))
    backbone = model.backbone
    images = torch.randn(2, 3, 64, 96)
    plain = backbone.first_stage(images)
    optimize_training(model)
    assert isinstance(backbone.first_stage, FrozenStage)
    fused = backbone.first_stage(images)
    assert not fused.requires_grad
    assert not torch.equal(fused, plain)
    torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        assert torch.equal(backbone.first_stage(images), plain)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(backbone.first_stage(images), backbone.first_stage.plain(images))


def test_a_swin_has_no_frozen_stage():
    model = build_model(replace(RESNET, backbone="swin_t"), NUM_CLASSES)
    optimize_training(model)
    assert not hasattr(model.backbone, "first_stage")
