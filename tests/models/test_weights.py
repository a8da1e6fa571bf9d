"""Weights files: a round trip, and what is said of files that do not fit."""

import copy
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from qivis.config.schema import InputConfig, ModelConfig, TrackingConfig
from qivis.errors import WeightsError
from qivis.models.inputs import prepare
from qivis.models.outputs import Chosen
from qivis.models.queryinst import QueryInst
from qivis.models.weights import (
    HEADER_KEY,
    WeightsHeader,
    header_text,
    load_strictly,
    load_weights,
    read_published,
    save_weights,
)
from qivis.structures import Categories, Category
from tests.tiny import NUM_CLASSES, TINY, noise, tiny_model

# The default kind of mask head has batch statistics, which are weights too.
CONFIG = replace(TINY, mask_norm="batch")


def header_of(config: ModelConfig = CONFIG, *, inference_only: bool = False) -> WeightsHeader:
    return WeightsHeader(
        model=config,
        input=InputConfig(short_side=64, pixel_mean=(1.0, 2.0, 3.0)),
        tracking=TrackingConfig(memory_frames=7),
        categories=Categories((Category(3, "cat"), Category(7, "dög"), Category(9, "cow"))),
        inference_only=inference_only,
    )


@pytest.fixture(scope="module")
def model() -> QueryInst:
    network = tiny_model(CONFIG)
    for name, buffer in network.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.fill_(100_001)  # a number that half precision does not have
    return network


@pytest.fixture(scope="module")
def saved(model: QueryInst, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_weights(path, model, header_of(), torch.float32)
    return path


def rewrite(source: Path, target: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Copy a weights file with changed tensors."""
    tensors = load_file(source)
    change(tensors)
    _, header = load_weights(source)
    content = {
        "model": vars(header.model),
        "input": vars(header.input),
        "tracking": vars(header.tracking),
        "categories": [vars(category) for category in header.categories],
        "inference_only": header.inference_only,
    }
    save_file(tensors, target, metadata={HEADER_KEY: json.dumps(content)})


@torch.no_grad()
def masks_of(model: QueryInst) -> Tensor:
    prediction = model(prepare([noise((32, 32))], InputConfig()))
    every = Chosen.of([torch.arange(8)])
    return model.mask_logits(prediction, 1, every, torch.arange(8) % NUM_CLASSES)


def test_float32_weights_come_back_as_they_were(model: QueryInst, saved: Path) -> None:
    loaded, header = load_weights(saved)
    assert header == header_of()
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_float16_weights_come_back_rounded_in_float32(model: QueryInst, tmp_path: Path) -> None:
    save_weights(tmp_path / "half.safetensors", model, header_of(), torch.float16)
    loaded, _ = load_weights(tmp_path / "half.safetensors")
    for name, tensor in model.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert loaded.state_dict()[name].dtype == tensor.dtype
        assert torch.equal(loaded.state_dict()[name], expected), name


def test_half_precision_halves_the_file(model: QueryInst, saved: Path, tmp_path: Path) -> None:
    save_weights(tmp_path / "half.safetensors", model, header_of(), torch.float16)
    size = (tmp_path / "half.safetensors").stat().st_size
    assert size / saved.stat().st_size == pytest.approx(0.5, abs=0.02)


def test_weights_for_inference_lack_heads_and_draw_the_same_masks(
    model: QueryInst, saved: Path, tmp_path: Path
) -> None:
    path = tmp_path / "few.safetensors"
    save_weights(path, model, header_of(inference_only=True), torch.float32)
    heads = {name.split(".")[1] for name in load_file(path) if name.startswith("mask_heads.")}
    loaded, header = load_weights(path)
    assert len(heads) == len(loaded.mask_heads) == 1
    assert header.inference_only
    assert torch.equal(masks_of(loaded.eval()), masks_of(load_weights(saved)[0].eval()))


def test_weights_for_inference_can_be_saved_again(model: QueryInst, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    save_weights(once, model, header_of(inference_only=True), torch.float32)
    loaded, header = load_weights(once)
    save_weights(twice, loaded, header, torch.float32)
    again, _ = load_weights(twice)
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_weights_in_channels_last_order_are_stored_in_the_usual_one(
    model: QueryInst, saved: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    save_weights(path, other, header_of(), torch.float32)
    assert path.read_bytes() == saved.read_bytes()


def test_missing_and_unexpected_names_are_listed(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    rewrite(saved, path, lambda t: t.update({"extra.bias": t.pop("fpn.output.3.bias")}))
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert str(caught.value) == (
        f"{path}: does not fit the network: missing fpn.output.3.bias; unexpected extra.bias"
    )


def test_shapes_that_differ_are_listed(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    rewrite(saved, path, lambda t: t.update({"queries.boxes.weight": torch.zeros(5, 4)}))
    with pytest.raises(
        WeightsError, match=r"of another shape queries\.boxes\.weight \(5, 4\) instead of \(8, 4\)$"
    ):
        load_weights(path)


def test_long_lists_are_cut_short() -> None:
    with pytest.raises(
        WeightsError,
        match=r"here: .*missing bias, weight; unexpected a, b, c, d, e"
        r" and 2 more$",
    ):
        load_strictly(torch.nn.Linear(1, 1), dict.fromkeys("abcdefg", torch.zeros(1)), "here")


@pytest.mark.parametrize("length", [0, 5, 1000, -7], ids=["nothing", "start", "header", "end"])
def test_a_truncated_file_is_refused(saved: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: not a readable weights file"):
        load_weights(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("These are no weights. " * 100)
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("text", "folder", "missing"):
        with pytest.raises(WeightsError, match=f"{name}.safetensors: not a readable weights file"):
            load_weights(tmp_path / f"{name}.safetensors")


def test_tensors_without_a_header_are_refused_with_a_remedy(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "plain.safetensors")
    with pytest.raises(WeightsError, match=r"without a 'qivis' header; .*convert_weights"):
        load_weights(tmp_path / "plain.safetensors")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"model": {"backbone": "vgg"}}', '{"model": 3}'],
    ids=["no JSON", "a list", "nothing", "unknown backbone", "no settings"],
)
def test_a_damaged_header_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.safetensors"
    save_file({"weight": torch.zeros(1)}, path, metadata={HEADER_KEY: content})
    with pytest.raises(WeightsError, match=r"bad\.safetensors: its header is damaged"):
        load_weights(path)


def lie(saved: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Copy a weights file that says something else of itself."""
    content = json.loads(header_text(load_weights(saved)[1]))
    change(content)
    save_file(load_file(saved), target, metadata={HEADER_KEY: json.dumps(content)})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_queries", 10**11, r"of another shape .* instead of \(100000000000, 4\)"),
        ("num_queries", 10**18, "its header describes no network"),
        ("num_queries", 10**30, "num_queries: expected a whole number, got 1000000"),
        ("num_stages", 10**9, r"has \d+ tensors for 1000000000 stages"),
        ("num_stages", -1, "num_stages: expected 1 or more, got -1"),
        ("width", -32, "width: expected a multiple of 8, got -32"),
        ("width", 0, "width: expected a multiple of 8, got 0"),
        ("num_heads", 5, r"num_heads: expected a divisor of width, \d+, got 5"),
        ("backbone", "x" * 99_999, "backbone: expected one of .*, got 'xxx"),
    ],
)
def test_a_header_that_lies_is_refused_before_it_takes_memory(
    saved: Path, tmp_path: Path, field: str, value: object, message: str
) -> None:
    path = tmp_path / "lie.safetensors"
    lie(saved, path, lambda content: content["model"].update({field: value}))
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "categories",
    [[], [{"id": "1", "name": "cat"}], [{"id": 1, "name": ["cat"]}], [{"id": 1, "name": "a"}] * 3],
    ids=["none", "an id of letters", "a list of names", "the same thrice"],
)
def test_categories_that_are_none_are_refused(
    saved: Path, tmp_path: Path, categories: list[object]
) -> None:
    path = tmp_path / "lie.safetensors"
    lie(saved, path, lambda content: content.update(categories=categories))
    with pytest.raises(WeightsError, match=r"lie\.safetensors: its header is damaged"):
        load_weights(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["fpn.output.3.bias"].update(shape=[10**9, 10**9]),
        lambda header: header["fpn.output.3.bias"].update(data_offsets=[0, 2**60]),
        lambda header: header["fpn.output.3.bias"].update(dtype="F64"),
        lambda header: header["__metadata__"].update({HEADER_KEY: "[" * 100_000}),
        lambda header: header.update(deep=json.loads("[" * 500 + "]" * 500)),
    ],
    ids=["shape", "offsets", "type", "nested text", "nested entry"],
)
def test_a_safetensors_header_that_lies_is_refused(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    content = saved.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path = tmp_path / "lie.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    with pytest.raises(WeightsError, match=r"lie\.safetensors: (not a readable|its header is)"):
        load_weights(path)


def test_a_safetensors_header_longer_than_its_file_is_refused(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "lie.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + saved.read_bytes()[8:])
    with pytest.raises(WeightsError, match="header too large"):
        load_weights(path)


def one_number_shown_often() -> dict[str, Tensor]:
    return {"one": torch.zeros(1).expand(10**12)}


@pytest.mark.parametrize(
    ("state_dict", "message"),
    [
        (
            one_number_shown_often(),
            r"its tensors \(4,000,000,000,000 bytes\) are larger than the file",
        ),
        ({5: torch.zeros(1)}, "expected a checkpoint with a 'state_dict' of tensors"),
        ({"a": torch.zeros(1, device="meta")}, "expected a checkpoint with a 'state_dict' of"),
        ({"a": torch.eye(2).to_sparse()}, "expected a checkpoint with a 'state_dict' of tensors"),
    ],
    ids=["views", "no names", "nothing in it", "sparse"],
)
def test_tensors_that_are_not_all_there_are_refused(
    tmp_path: Path, state_dict: dict[Any, Tensor], message: str
) -> None:
    torch.save({"state_dict": state_dict}, tmp_path / "in.pth")
    with pytest.raises(WeightsError, match=rf"in\.pth: {message}"):
        read_published(tmp_path / "in.pth")


def test_a_file_is_written_whole_or_not_at_all(model: QueryInst, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")
    damaged = tiny_model(CONFIG)
    empty = torch.zeros(1, device="meta")  # has nothing to write
    damaged.fpn.output[0].bias = torch.nn.Parameter(empty)
    with pytest.raises(NotImplementedError):
        save_weights(path, damaged, header_of(), torch.float32)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
