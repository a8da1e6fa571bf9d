"""An exported network finds what the network finds, and follows it alike."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from qivis.errors import ConfigError, DataError, WeightsError
from qivis.inference.onnx_predictor import OnnxPredictor, load_onnx_predictor
from qivis.inference.predictor import Predictor, load_predictor
from qivis.inference.video import segment_video
from qivis.models.onnx_export import default_size, export_onnx
from qivis.models.source import open_weights
from qivis.models.weights import HEADER_KEY, header_text, load_weights
from qivis.structures import Detections, Frame
from tests.tiny import noise

DEMO = Path(__file__).parents[2] / "qivis" / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def exported(tiny_graph: tuple[Path, Path]) -> OnnxPredictor:
    return replace(load_onnx_predictor(tiny_graph[1]), score_threshold=0.0)


@pytest.fixture(scope="module")
def plain(tiny_graph: tuple[Path, Path]) -> Predictor:
    predictor = load_predictor(tiny_graph[0], "cpu", precision="float32")
    return replace(predictor, score_threshold=0.0, max_detections=10)


def assert_same(ours: Detections, theirs: Detections) -> None:
    assert (ours.size, len(ours)) == (theirs.size, len(theirs))
    assert torch.equal(ours.labels, theirs.labels)
    assert torch.allclose(ours.scores, theirs.scores, atol=1e-3)
    assert torch.allclose(ours.boxes, theirs.boxes, atol=0.05)
    assert torch.allclose(ours.embeddings, theirs.embeddings, atol=1e-3)
    assert (ours.masks != theirs.masks).float().mean() < 1e-3


def test_what_is_no_picture_is_refused(exported: OnnxPredictor) -> None:
    for image, given in (
        (noise((48, 72))[:1], r"\(1, 48, 72\)"),
        (noise((48, 72)).numpy(), "ndarr"),
    ):
        with pytest.raises(DataError, match=f"expected pictures, each a tensor .*, got {given}"):
            exported([image])


@pytest.mark.parametrize("size", [(64, 96), (128, 192), (43, 64)])
def test_it_finds_what_the_network_finds(
    exported: OnnxPredictor, plain: Predictor, size: tuple[int, int]
) -> None:
    images = [noise(size, seed) for seed in range(2)]
    for ours, theirs in zip(exported(images), plain(images), strict=True):
        assert len(ours) > 1
        assert_same(ours, theirs)


def test_a_picture_of_another_shape_is_made_to_fit(exported: OnnxPredictor) -> None:
    (found,) = exported([noise((200, 100))])
    assert (found.size, found.masks.shape[1:]) == ((200, 100), (200, 100))
    assert exported._size_of((200, 100)) == (64, 32)  # and not 96 high, as it is for the network


def test_a_threshold_drops_what_is_unlikely(exported: OnnxPredictor) -> None:
    (nothing,) = replace(exported, score_threshold=1.0)([noise((64, 96))])
    assert (len(nothing), nothing.masks.shape) == (0, (0, 64, 96))


def test_settings_come_from_the_file(exported: OnnxPredictor, plain: Predictor) -> None:
    assert exported.categories == plain.categories
    assert (exported.input, exported.tracking) == (plain.input, plain.tracking)
    assert (exported.size, exported.device) == ((64, 96), torch.device("cpu"))


def test_objects_of_a_clip_get_the_same_ids(exported: OnnxPredictor, plain: Predictor) -> None:
    first = noise((64, 96))
    clip = [Frame(first.roll(3 * index, dims=2), index, index / 10) for index in range(5)]
    ids = [
        [tracked.track_ids.tolist() for _, tracked in segment_video(clip, predictor)]
        for predictor in (exported, plain)
    ]
    assert ids[0] == ids[1]
    assert any(ids[0])


@pytest.mark.parametrize(("association", "width"), [(None, 12), ("query", 32), ("overlap", 32)])
def test_embeddings_are_what_the_tracker_goes_by(
    tiny_graph: tuple[Path, Path], association: str | None, width: int
) -> None:
    predictor = load_onnx_predictor(tiny_graph[1], "cpu", association)
    (found,) = replace(predictor, score_threshold=0.0)([noise((64, 96))])
    assert found.embeddings.shape == (len(found), width)


def test_an_association_that_does_not_exist_is_refused(tiny_graph: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"'querry'.*'query'"):
        load_onnx_predictor(tiny_graph[1], "cpu", "querry")


def test_a_device_that_it_does_not_run_on_is_refused(tiny_graph: tuple[Path, Path]) -> None:
    with pytest.raises(WeightsError, match="'cuda': ONNX graphs run on the CPU"):
        load_onnx_predictor(tiny_graph[1], "cuda")


def test_files_that_are_no_graph_are_refused(tmp_path: Path, tiny_graph: tuple[Path, Path]) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(tiny_graph[1].read_bytes()[:100_000])
    for path in (cut, tiny_graph[0]):
        with pytest.raises(WeightsError, match=f"{path}: not a readable ONNX graph"):
            load_onnx_predictor(path)
    with pytest.raises(WeightsError, match=r"gone\.onnx: no such file"):
        load_onnx_predictor(tmp_path / "gone.onnx")


def other_graph(path: Path, **metadata: str) -> Path:
    """A graph that has nothing to do with the project."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("taken", "given")
    ]
    node = helper.make_node("Relu", ["taken"], ["given"])
    graph = helper.make_graph([node], "other", values[:1], values[1:])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def test_graphs_of_others_are_refused(tmp_path: Path, tiny_graph: tuple[Path, Path]) -> None:
    with pytest.raises(WeightsError, match=r"without a 'qivis' header; tools/export_onnx\.py"):
        load_onnx_predictor(other_graph(tmp_path / "other.onnx"))
    with pytest.raises(WeightsError, match=r"odd\.onnx: its header is damaged"):
        load_onnx_predictor(other_graph(tmp_path / "odd.onnx", **{HEADER_KEY: "{}"}))
    header = header_text(load_weights(tiny_graph[0])[1])
    with pytest.raises(WeightsError, match=r"goes from \('taken',\) to \('given',\)"):
        load_onnx_predictor(other_graph(tmp_path / "new.onnx", **{HEADER_KEY: header}))


Shapes = Mapping[str, tuple[int, Sequence[int | str]]]
SHAPES: Shapes = {
    "images": (TensorProto.UINT8, [1, 3, 64, 96]),
    "sizes": (TensorProto.INT64, [1, 2]),
    "scores": (TensorProto.FLOAT, [1, 5]),
    "labels": (TensorProto.INT64, [1, 5]),
    "boxes": (TensorProto.FLOAT, [1, 5, 4]),
    "masks": (TensorProto.FLOAT, [1, 5, 28, 28]),
    "queries": (TensorProto.FLOAT, [1, 5, 8]),
    "embeddings": (TensorProto.FLOAT, [1, 5, 12]),
}


def constant_graph(path: Path, header: str, shapes: Shapes, label: int = 2) -> Path:
    """A graph that gives the same whatever it sees: all is 1, all labels are `label`."""
    nodes, infos = [], []
    for name, (kind, shape) in {**SHAPES, **shapes}.items():
        infos.append(helper.make_tensor_value_info(name, kind, shape))
        if name in ("images", "sizes"):
            continue
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        sides = [1 if isinstance(side, str) else side for side in shape]
        value = np.full(sides, label if name == "labels" else 1, dtype)
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)))
    graph = helper.make_graph(nodes, "constant", infos[:2], infos[2:])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    helper.set_model_props(model, {HEADER_KEY: header})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def header(tiny_graph: tuple[Path, Path]) -> str:
    return header_text(load_weights(tiny_graph[0])[1])


def test_a_graph_for_single_pictures_may_be_of_others(tmp_path: Path, header: str) -> None:
    predictor = load_onnx_predictor(constant_graph(tmp_path / "graph.onnx", header, {}))
    (found,) = predictor([noise((64, 96))])
    assert found.labels.tolist() == [2] * 5
    assert found.embeddings.shape == (5, 12)


FLOAT, BYTES, INT64 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("images", (FLOAT, [1, 3, 64, 96]), r"tensor\(uint8\) of \(B, 3, H, W\), it is tensor\(fl"),
        ("images", (BYTES, []), r"it is tensor\(uint8\) of \(\)"),
        ("images", (BYTES, [1, 1, 64, 96]), r"of \(1, 1, 64, 96\)"),
        ("images", (BYTES, [4, 3, 64, 96]), r"of \(4, 3, 64, 96\)"),
        ("images", (BYTES, ["batch", 3, "height", 96]), r"of \('batch', 3, 'height', 96\)"),
        ("images", (BYTES, [1, 3, 200_000, 96]), r"of \(1, 3, 200000, 96\)"),
        ("sizes", (FLOAT, [1, 2]), r"tensor\(int64\) of \(B, 2\), it is tensor\(float\)"),
        ("scores", (FLOAT, [1, 5, 1]), r"of \(B, K\), it is tensor\(float\) of \(1, 5, 1\)"),
        ("labels", (INT64, [1, 4]), r"of \(B, 5\), it is tensor\(int64\) of \(1, 4\)"),
        ("boxes", (FLOAT, [1, 5, 5]), r"of \(B, 5, 4\), it is tensor\(float\) of \(1, 5, 5\)"),
        ("masks", (FLOAT, [1, 5, 28, 14]), r"of \(B, 5, 28, 28\), it is"),
        ("embeddings", (FLOAT, [1, 5]), r"of \(B, 5, E\), it is"),
    ],
)
def test_inputs_and_outputs_of_other_shapes_are_told(
    tmp_path: Path, header: str, name: str, tensor: tuple[int, list[int | str]], said: str
) -> None:
    path = constant_graph(tmp_path / "graph.onnx", header, {name: tensor})
    expected = f"graph.onnx: '{name}' of the ONNX graph .*{said}.*; export it again"
    with pytest.raises(WeightsError, match=expected):
        load_onnx_predictor(path)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_of_no_class_are_told(tmp_path: Path, header: str, label: int) -> None:
    path = constant_graph(tmp_path / "graph.onnx", header, {}, label)
    with pytest.raises(WeightsError, match=f"gives label {label}, .* have labels 0 to 2"):
        load_onnx_predictor(path)([noise((64, 96))])


def test_a_graph_that_cannot_be_run_is_told_in_a_line(exported: OnnxPredictor) -> None:
    larger = replace(exported, size=(96, 96))  # than what the graph takes
    with pytest.raises(WeightsError, match=r"^the ONNX graph cannot be run \(.*\)$"):
        larger([noise((64, 96))])


def test_a_missing_runtime_is_named(
    tiny_graph: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WeightsError, match=r"not installed: pip install 'qivis\[onnx\]'"):
        load_onnx_predictor(tiny_graph[1])


def test_the_runtime_reports_nothing_to_anybody(
    tiny_graph: tuple[Path, Path], tmp_path: Path
) -> None:
    script = f"""
from qivis.inference.onnx_predictor import load_onnx_predictor
print(load_onnx_predictor({str(tiny_graph[1])!r}).size)
"""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    printed = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True
    )
    assert printed.stdout == b"(64, 96)\n"
    assert list(tmp_path.iterdir()) == []  # where it would keep what it is about to send


@pytest.mark.slow
def test_the_embedded_model_finds_the_same_in_real_pictures(tmp_path: Path) -> None:
    from qivis.data.video import open_video

    model, header = open_weights("default")
    model.drop_training_heads()
    export_onnx(tmp_path / "nano.onnx", model.eval(), header, default_size(header.input))
    exported, plain = (
        load_onnx_predictor(tmp_path / "nano.onnx"),
        load_predictor(device="cpu", precision="float32"),
    )
    with open_video(DEMO) as frames:
        images = [frame.image for frame in list(frames)[:20:19]]
    for ours, theirs in zip(exported(images), plain(images), strict=True):
        assert len(ours) > 0
        assert_same(ours, theirs)
