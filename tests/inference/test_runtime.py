"""Which runtime a command line gets, and when an ONNX graph is made."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from qivis.config.schema import InputConfig
from qivis.errors import ConfigError, WeightsError
from qivis.inference.arguments import parse_args
from qivis.inference.onnx_predictor import OnnxPredictor
from qivis.inference.predictor import Predictor
from qivis.inference.runtime import exported, gpu_of, load_for_runtime, with_short_side
from qivis.inference.task import load_as_asked, task_of

ArgsOf = Callable[..., Namespace]


@pytest.fixture
def args_of(tiny_graph: tuple[Path, Path]) -> ArgsOf:
    graph = str(tiny_graph[1])
    return lambda *flags: parse_args(["clip.mp4", "--weights", graph, *flags])


def test_a_graph_runs_in_the_runtime_for_graphs(args_of: ArgsOf) -> None:
    assert isinstance(load_for_runtime(args_of()), OnnxPredictor)
    assert isinstance(load_for_runtime(args_of("--runtime", "onnx")), OnnxPredictor)


def test_a_clip_may_be_decoded_by_the_gpu_that_the_network_runs_on_and_by_no_other(
    args_of: ArgsOf, tiny_graph: tuple[Path, Path]
) -> None:
    weights = str(tiny_graph[0])
    assert gpu_of(parse_args(["a.mp4", "--weights", weights, "--device", "cpu"])) is None
    with pytest.raises(WeightsError, match="device 'cuda:99' cannot be used here"):
        gpu_of(parse_args(["a.mp4", "--weights", weights, "--device", "cuda:99"]))
    # ONNX Runtime has CPUs only, so that the device is none of its business.
    onnx = parse_args(["a.mp4", "--weights", weights, "--runtime", "onnx", "--device", "cuda:99"])
    assert gpu_of(onnx) is gpu_of(args_of("--device", "cuda:99")) is None


def test_other_weights_run_in_torch(tiny_graph: tuple[Path, Path]) -> None:
    weights = str(tiny_graph[0])
    assert isinstance(load_for_runtime(parse_args(["a.mp4", "--weights", weights])), Predictor)


def test_flags_mean_the_same_for_a_graph(args_of: ArgsOf) -> None:
    args = args_of("--score", "0.4", "--association", "query")
    predictor = load_as_asked(args)
    assert (predictor.tracking.birth_score, predictor.tracking.association) == (0.4, "query")
    assert task_of("clip.mp4", args, predictor)["runtime"] == "onnx"


def test_what_a_graph_cannot_do_is_refused(args_of: ArgsOf) -> None:
    with pytest.raises(ConfigError, match=r"--runtime torch cannot run .*tiny\.onnx"):
        load_for_runtime(args_of("--runtime", "torch"))
    with pytest.raises(ConfigError, match=r"--imgsz: the size of .* is fixed; .*--size"):
        load_for_runtime(args_of("--imgsz", "128"))


def test_the_longer_side_keeps_its_proportion() -> None:
    shape = with_short_side(InputConfig(short_side=64, long_side=96), 128)
    assert (shape.short_side, shape.long_side) == (128, 192)


@pytest.mark.slow
def test_a_graph_is_made_once(
    tiny_graph: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIVIS_HOME", str(tmp_path))
    graph = exported(str(tiny_graph[0]), None)
    assert graph.parent == tmp_path / "onnx"
    made = graph.stat().st_mtime_ns
    args = parse_args(["a.mp4", "--weights", str(tiny_graph[0]), "--runtime", "onnx"])
    predictor = load_for_runtime(args)
    assert isinstance(predictor, OnnxPredictor)
    assert predictor.size == (64, 96)
    assert [path.stat().st_mtime_ns for path in graph.parent.iterdir()] == [made]


def test_a_cache_that_cannot_be_written_to_is_told_before_the_graph_is_made(
    tiny_graph: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("QIVIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("qivis.inference.runtime.export_onnx", None)
    expected = f"^{tmp_path}/home/onnx: no ONNX graph .* \\(Not a directory\\); .* QIVIS_HOME$"
    with pytest.raises(WeightsError, match=expected):
        exported(str(tiny_graph[0]), None)


def test_a_device_for_no_graph_is_told_before_one_is_made(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.safetensors")
    args = parse_args(["a.mp4", "--weights", gone, "--runtime", "onnx", "--device", "cuda"])
    with pytest.raises(WeightsError, match="'cuda': ONNX graphs run on the CPU"):
        load_for_runtime(args)


def test_a_graph_has_the_precision_that_it_was_exported_with(args_of: ArgsOf) -> None:
    assert task_of("a.mp4", args_of(), load_for_runtime(args_of()))["precision"] == "float32"
    with pytest.raises(ConfigError, match="--precision bfloat16: ONNX graphs have float32"):
        load_for_runtime(args_of("--precision", "bfloat16"))
