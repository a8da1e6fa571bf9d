"""Published checkpoints become weights files: a small one, made by the golden rule."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from qivis.config import ModelConfig
from qivis.errors import WeightsError
from qivis.models.convert import convert, describe
from qivis.models.weights import load_weights
from tests.golden.small import published_shapes, small_state_dict


@pytest.fixture(scope="module")
def state_dict() -> dict[str, Tensor]:
    return small_state_dict()


@pytest.fixture(scope="module")
def published(state_dict: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "weights.pth"
    torch.save({"meta": {"epoch": 12}, "state_dict": state_dict}, path)
    return path


def test_the_network_is_read_off_the_shapes(state_dict: dict[str, Tensor]) -> None:
    assert describe(state_dict, "here") == ModelConfig(
        num_queries=8, num_stages=2, width=16, ffn_width=24, dynamic_width=4
    )


def test_the_published_network_is_the_default_one() -> None:
    shapes = {name: torch.empty(shape, device="meta") for name, shape in published_shapes().items()}
    assert describe(shapes, "here") == ModelConfig()


def test_another_box_grid_is_recognised(state_dict: dict[str, Tensor]) -> None:
    name = "roi_head.bbox_head.0.instance_interactive_conv.fc_layer.weight"
    other = state_dict | {name: torch.empty(16, 16 * 5 * 5)}
    assert describe(other, "here").box_grid == 5


def test_a_deeper_backbone_is_recognised() -> None:
    shapes = {name: torch.empty(shape, device="meta") for name, shape in published_shapes().items()}
    block = {name: t for name, t in shapes.items() if name.startswith("backbone.layer3.5.")}
    for index in range(6, 23):
        shapes |= {name.replace("3.5.", f"3.{index}."): tensor for name, tensor in block.items()}
    assert describe(shapes, "here") == ModelConfig(backbone="resnet101")


def test_every_weight_arrives(
    published: Path, state_dict: dict[str, Tensor], tmp_path: Path
) -> None:
    convert(published, tmp_path / "out.safetensors", inference_only=False, dtype=torch.float32)
    model, header = load_weights(tmp_path / "out.safetensors")
    arrived = sorted(tensor.double().sum().item() for tensor in model.state_dict().values())
    sent = sorted(tensor.double().sum().item() for tensor in state_dict.values())
    assert arrived == sent
    boxes = state_dict["rpn_head.init_proposal_bboxes.weight"]
    assert any(torch.equal(boxes, tensor) for tensor in model.state_dict().values())
    assert (len(header.categories), header.categories.entries[79].name) == (80, "toothbrush")
    assert header.model.num_queries == 8
    assert not header.inference_only


def test_weights_for_inference_lack_all_but_the_last_mask_head(
    published: Path, state_dict: dict[str, Tensor], tmp_path: Path
) -> None:
    convert(published, tmp_path / "all.safetensors", inference_only=False, dtype=torch.float32)
    convert(published, tmp_path / "few.safetensors", inference_only=True, dtype=torch.float32)
    first_head = [name for name in state_dict if name.startswith("roi_head.mask_head.0.")]
    lacking = len(load_file(tmp_path / "all.safetensors")) - len(
        load_file(tmp_path / "few.safetensors")
    )
    assert lacking == len(first_head)
    model, header = load_weights(tmp_path / "few.safetensors")
    kept = state_dict["roi_head.mask_head.1.conv_logits.weight"]
    assert any(torch.equal(kept, tensor) for tensor in model.state_dict().values())
    assert header.inference_only


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"conv.weight": torch.zeros(1)}}, "not a published QueryInst"),
        ({"state_dict": 3}, "expected a checkpoint with a 'state_dict' of tensors"),
    ],
    ids=["another network", "no tensors"],
)
def test_what_is_no_queryinst_is_refused_by_name(
    content: Any, message: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "in.pth")
    with pytest.raises(WeightsError, match=f"in\\.pth: {message}"):
        convert(
            tmp_path / "in.pth",
            tmp_path / "out.safetensors",
            inference_only=False,
            dtype=torch.float32,
        )
    assert not (tmp_path / "out.safetensors").exists()


def test_weights_for_other_classes_are_refused(state_dict: dict[str, Tensor]) -> None:
    narrow = state_dict | {"roi_head.bbox_head.0.fc_cls.weight": torch.zeros(8, 16)}
    with pytest.raises(WeightsError, match="here: expected weights for COCO's 80 classes, got 8"):
        describe(narrow, "here")


@pytest.mark.parametrize("shape", [(), (8,)], ids=str)
def test_weights_of_senseless_shapes_are_refused(
    state_dict: dict[str, Tensor], shape: tuple[int, ...]
) -> None:
    for name in (
        "rpn_head.init_proposal_features.weight",
        "roi_head.bbox_head.0.instance_interactive_conv.fc_layer.weight",
    ):
        with pytest.raises(WeightsError, match="here: not a published QueryInst"):
            describe(state_dict | {name: torch.zeros(shape)}, "here")


def test_queries_without_channels_are_refused(state_dict: dict[str, Tensor]) -> None:
    name = "rpn_head.init_proposal_features.weight"
    with pytest.raises(WeightsError, match=r"here: not a published .*its shapes are others"):
        describe(state_dict | {name: torch.zeros(8, 0)}, "here")


def test_a_deformable_backbone_is_not_taken_for_a_plain_one(
    state_dict: dict[str, Tensor], tmp_path: Path
) -> None:
    offsets = {"backbone.layer2.0.conv2.conv_offset.weight": torch.zeros(18, 128, 3, 3)}
    torch.save({"state_dict": state_dict | offsets}, tmp_path / "in.pth")
    with pytest.raises(WeightsError, match=r"unexpected .*layer2\.0\.conv2\.conv_offset\.weight"):
        convert(
            tmp_path / "in.pth",
            tmp_path / "out.safetensors",
            inference_only=False,
            dtype=torch.float32,
        )


def test_a_missing_weight_is_named(state_dict: dict[str, Tensor], tmp_path: Path) -> None:
    some = {name: t for name, t in state_dict.items() if name != "neck.fpn_convs.0.conv.bias"}
    torch.save({"state_dict": some}, tmp_path / "in.pth")
    with pytest.raises(WeightsError, match=r"missing fpn\.output\.0\.bias"):
        convert(
            tmp_path / "in.pth",
            tmp_path / "out.safetensors",
            inference_only=False,
            dtype=torch.float32,
        )


def test_an_output_that_cannot_be_written_is_named(published: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out.safetensors"
    with pytest.raises(WeightsError, match=r"out\.safetensors: cannot be written \("):
        convert(published, out, inference_only=False, dtype=torch.float32)


def test_own_weights_become_half_as_large(tmp_path: Path, published: Path) -> None:
    convert(published, tmp_path / "own.safetensors", inference_only=False, dtype=torch.float32)
    small = tmp_path / "small.safetensors"
    convert(tmp_path / "own.safetensors", small, inference_only=True, dtype=torch.float16)
    own, _ = load_weights(tmp_path / "own.safetensors")
    model, header = load_weights(small)
    assert header.inference_only
    assert all(t.dtype == torch.float16 for t in load_file(small).values() if t.is_floating_point())
    torch.testing.assert_close(
        model.queries.features.weight, own.queries.features.weight, atol=2e-3, rtol=2e-3
    )
