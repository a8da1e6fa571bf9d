"""Four feature maps; stem, first stage and batch statistics stay as they were."""

import pytest
import torch
from torch import nn

from qivis.models.backbone import BACKBONES

FROZEN = {
    "resnet50": ("body.conv1.", "body.bn1.", "body.layer1."),
    "efficientnet_lite0": (
        "body._conv_stem.",
        "body._bn0.",
        "body._blocks.0.",
        "body._blocks.1.",
        "body._blocks.2.",
    ),
}


@pytest.fixture(params=FROZEN, scope="module")
def named(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    torch.manual_seed(0)
    return request.param, BACKBONES[request.param]()


def test_maps_have_the_promised_channels_and_strides(named: tuple[str, nn.Module]) -> None:
    _, backbone = named
    with torch.no_grad():
        maps = backbone(torch.randn(2, 3, 64, 96))
    assert [tuple(features.shape) for features in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(backbone.channels, (4, 8, 16, 32), strict=True)
    ]


def test_stem_and_first_stage_do_not_learn_and_all_else_does(
    named: tuple[str, nn.Module],
) -> None:
    name, backbone = named
    for parameter_name, parameter in backbone.named_parameters():
        assert parameter.requires_grad != parameter_name.startswith(FROZEN[name]), parameter_name


def test_training_leaves_batch_statistics_alone(named: tuple[str, nn.Module]) -> None:
    _, backbone = named
    before = {key: buffer.clone() for key, buffer in backbone.named_buffers()}
    assert backbone.training
    for trained in (backbone, backbone.eval().train()):  # newly built, and switched
        trained(torch.randn(2, 3, 64, 64) * 9)[-1].sum().backward()
    assert all(torch.equal(before[key], buffer) for key, buffer in backbone.named_buffers())


def test_gradients_end_at_the_frozen_stage(named: tuple[str, nn.Module]) -> None:
    name, backbone = named
    backbone.zero_grad()
    sum(features.square().mean() for features in backbone(torch.randn(1, 3, 64, 64))).backward()
    for parameter_name, parameter in backbone.named_parameters():
        assert (parameter.grad is None) == parameter_name.startswith(FROZEN[name])


def test_resnet101_is_deeper() -> None:
    with torch.device("meta"):
        body = BACKBONES["resnet101"]().body
    assert [len(layer) for layer in (body.layer1, body.layer2, body.layer3, body.layer4)] == [
        *(3, 4, 23, 3)
    ]


def test_the_mobile_backbone_stays_in_float32_under_autocast() -> None:
    backbone = BACKBONES["efficientnet_lite0"]()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = backbone(torch.randn(1, 3, 32, 32))
    assert {features.dtype for features in maps} == {torch.float32}
