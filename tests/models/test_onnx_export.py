"""The exported graph says what the network says; its fixed parts are those of the plain path."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qivis.config.schema import InputConfig, ModelConfig, TrackingConfig
from qivis.errors import ConfigError
from qivis.models.build import build_model
from qivis.models.inputs import prepare
from qivis.models.onnx_export import (
    OUTPUTS,
    Pictures,
    _weighted_sums,
    default_size,
    export_onnx,
    fixed_pairs,
)
from qivis.models.ranking import best_pairs
from qivis.models.weights import WeightsHeader, load_published, load_weights
from qivis.structures import Categories, Category
from tests.golden import rule
from tests.golden.small import published_shapes
from tests.tiny import FEATURIZED, TINY, noise, spread_scores, tiny_model

KINDS = pytest.mark.parametrize("config", [TINY, FEATURIZED], ids=["learned", "featurized"])


def on_canvas(*sizes: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Noise, of a seed for each size, in the corners of 64 x 96, and what it covers."""
    # What is outside is not seen.
    images = torch.full((len(sizes), 3, 64, 96), 200, dtype=torch.uint8)
    for seed, (image, (height, width)) in enumerate(zip(images, sizes, strict=True)):
        image[:, :height, :width] = noise((height, width), seed)
    return images, torch.tensor(sizes)


def assert_same(
    graph: Path, step: Pictures, images: Tensor, sizes: Tensor, pixels: float = 1e-3
) -> None:
    with torch.no_grad():
        expected = step(images, sizes)
    names = OUTPUTS[: len(expected)]  # without embeddings, where there is nothing to make them
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(names, {"images": images.numpy(), "sizes": sizes.numpy()})
    for name, ours, theirs in zip(names, expected, map(torch.from_numpy, found), strict=True):
        assert ours.shape == theirs.shape, name
        most = pixels if name == "boxes" else 1e-3
        assert torch.allclose(ours.float(), theirs.float(), atol=most), name


@pytest.mark.parametrize(
    "sizes",
    [[(64, 96)], [(50, 61)], [(64, 96), (64, 96), (50, 61), (33, 40), (64, 20)]],
    ids=["full", "with padding", "five"],
)
def test_the_graph_says_what_the_network_says_of_any_number_of_pictures(
    tiny_graph: tuple[Path, Path], sizes: list[tuple[int, int]]
) -> None:
    weights, graph = tiny_graph
    model, header = load_weights(weights)
    step = Pictures(model, header.input, 10).eval()
    assert_same(graph, step, *on_canvas(*sizes))


def test_axes_that_can_have_any_length_are_named(tiny_graph: tuple[Path, Path]) -> None:
    session = onnxruntime.InferenceSession(tiny_graph[1], providers=["CPUExecutionProvider"])
    shapes = {value.name: value.shape for value in [*session.get_inputs(), *session.get_outputs()]}
    assert shapes["images"] == ["batch", 3, 64, 96]
    assert shapes["sizes"] == ["batch", 2]
    assert shapes["scores"] == ["batch", 10]
    assert shapes["masks"] == ["batch", 10, 28, 28]


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["swin_t", "resnext101_64x4d_dcn"])
def test_every_kind_of_backbone_can_be_exported(tmp_path: Path, backbone: str) -> None:
    config = replace(TINY, backbone=backbone)
    model = spread_scores(tiny_model(config))
    header = WeightsHeader(
        model=config,
        input=InputConfig(),
        tracking=TrackingConfig(),
        categories=Categories(tuple(Category(index, f"class {index}") for index in range(3))),
        inference_only=False,
    )
    export_onnx(tmp_path / "model.onnx", model, header, (64, 96), 10)
    step = Pictures(model, header.input, 10).eval()
    assert_same(tmp_path / "model.onnx", step, *on_canvas((50, 61)))
    several = on_canvas((50, 61), (64, 96), (64, 96))  # of as many some box is less exact
    assert_same(tmp_path / "model.onnx", step, *several, pixels=0.01)


def test_the_graph_tells_no_paths_of_the_machine_that_made_it(
    tiny_graph: tuple[Path, Path],
) -> None:
    content = tiny_graph[1].read_bytes()
    assert b"onnx_export.py" not in content
    assert str(Path.cwd()).encode() not in content


@KINDS
def test_the_best_pairs_are_the_same_but_always_as_many(config: ModelConfig) -> None:
    model = spread_scores(tiny_model(config))
    with torch.no_grad():
        prediction = model(prepare([noise((64, 96)), noise((64, 96), 1)], InputConfig()))
    prediction.stages[-1].boxes[:, :4] = torch.tensor([10.0, 20.0, 40.0, 50.0])  # duplicates
    every = best_pairs(prediction, score_threshold=0.0, max_detections=20)
    for best, queries, labels, scores in zip(every, *fixed_pairs(prediction, 20), strict=True):
        assert len(scores) == 20
        assert torch.equal(scores[: len(best.scores)], best.scores)
        assert torch.equal(queries[: len(best.scores)], best.queries)
        assert torch.equal(labels[: len(best.scores)], best.labels)
        assert (scores[len(best.scores) :] == -1).all()
        assert (len(best.scores) < 20) == (config is FEATURIZED)  # only there, NMS drops duplicates


def test_pictures_are_prepared_as_for_the_network() -> None:
    config = InputConfig()
    images, sizes = on_canvas((50, 70), (64, 33))
    expected = prepare([noise((50, 70)), noise((64, 33), 1)], config)
    prepared = Pictures(tiny_model(), config, 1)._prepare(images, expected.grids)
    assert torch.equal(sizes.flip(1), expected.grids)
    assert torch.equal(prepared, expected.tensor)


def test_weighted_sums_are_what_embedding_bag_computes() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, weights = torch.randn(7, 3, generator=generator), torch.rand(4, 2, generator=generator)
    cells = torch.tensor([[0, 1], [6, 2], [3, 3], [5, 0]])
    expected = F.embedding_bag(cells, rows, mode="sum", per_sample_weights=weights)
    settings = (False, 0, False, weights.flatten())
    for dtype in (torch.int32, torch.int64):
        indices = cells.flatten().to(dtype)
        sums, *_ = _weighted_sums(rows, indices, torch.tensor([0, 2, 4, 6]), *settings)
        assert torch.allclose(sums, expected)


@pytest.mark.parametrize(
    ("config", "size"),
    [(InputConfig(), (768, 1344)), (InputConfig(short_side=320, long_side=576), (320, 576))],
)
def test_the_size_is_made_for_wide_screens(config: InputConfig, size: tuple[int, int]) -> None:
    assert default_size(config) == size


def header_of(config: ModelConfig) -> WeightsHeader:
    categories = Categories(tuple(Category(i, str(i)) for i in range(3)))
    return WeightsHeader(config, InputConfig(), TrackingConfig(), categories, False)


@pytest.mark.parametrize(
    ("size", "detections", "words"),
    [
        ((60, 96), 5, "multiples of 32, from 64 to 8192; got 60 x 96"),
        ((96, 32000), 5, "got 96 x 32000"),
        ((32, 96), 5, "got 32 x 96"),
        ((64, 96), 0, "at least 1 detection, got 0"),
    ],
)
def test_measures_that_cannot_be_are_refused(
    tmp_path: Path, size: tuple[int, int], detections: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        export_onnx(tmp_path / "a.onnx", tiny_model(), header_of(TINY), size, detections)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"needs onnxscript.*pip install 'qivis\[onnx\]'"):
        export_onnx(tmp_path / "a.onnx", tiny_model(), header_of(TINY), (64, 96), 5)


@pytest.mark.slow
def test_learned_queries_can_be_exported(tmp_path: Path) -> None:
    config = replace(TINY, association="mlp")
    model = spread_scores(tiny_model(config))
    export_onnx(tmp_path / "a.onnx", model, header_of(config), (64, 96), 10)
    step = Pictures(model, InputConfig(), 10).eval()
    assert_same(tmp_path / "a.onnx", step, *on_canvas((50, 70)))


@pytest.mark.slow
def test_the_published_network_can_be_exported(tmp_path: Path) -> None:
    model = build_model(ModelConfig(), num_classes=80).eval()
    weights = {
        name: torch.from_numpy(np.array(rule.weight(name, shape, seed=0)))
        for name, shape in published_shapes().items()
    }
    load_published(model, weights)
    model.drop_training_heads()
    categories = Categories(tuple(Category(i, str(i)) for i in range(80)))
    header = replace(header_of(ModelConfig()), categories=categories)
    export_onnx(tmp_path / "r50.onnx", model, header, (192, 224), 15)
    scene, *_ = rule.scene(160, 200, seed=0, num_objects=3)
    images = torch.zeros(1, 3, 192, 224, dtype=torch.uint8)
    images[0, :, :160, :200] = torch.from_numpy(np.array(scene)).permute(2, 0, 1)
    step = Pictures(model, InputConfig(), 15).eval()
    assert_same(tmp_path / "r50.onnx", step, images, torch.tensor([[160, 200]]))
