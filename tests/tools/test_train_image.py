"""The command that trains: from annotations to a falling loss, and how it ends otherwise."""

import json
from pathlib import Path

import pytest
import train_image

from qivis.models.weights import load_weights
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(train_image.__file__)
CONFIG = TOOL.parents[1] / "configs" / "debug" / "tiny_shapes_image.yaml"


def test_a_tiny_network_learns_the_moving_shapes(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refusal: Refusal
) -> None:
    out = tmp_path / "run"
    arguments = [str(CONFIG), "--data-root", str(shapes), "--out", str(out), "--device", "cpu"]
    assert train_image.main([*arguments, "--set", "optim.epochs=20"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    first, second, measured = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    assert (first["step"], second["step"], measured["step"]) == (20, 40, 40)
    assert second["loss"] < 0.9 * first["loss"]
    parts = sum(value for name, value in first.items() if name.startswith("stage"))
    assert first["loss"] == pytest.approx(parts, rel=1e-4)
    assert {"lr", "epoch", "gradient_norm", "seconds_per_step"} <= first.keys()
    assert second["epoch"] == 20
    assert {"box/AP", "mask/AP50", "mask/AP/square"} <= measured.keys()
    _, header = load_weights(out / "model.safetensors")
    assert header.categories.names == ("circle", "square", "triangle")

    # The folder is not overwritten.
    assert "--resume goes on" in refusal(train_image, *arguments)
    assert train_image.main([*arguments, "--set", "optim.epochs=20", "--resume"]) == 0


def test_a_training_on_a_cpu_keeps_the_memory_that_it_frees(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    monkeypatch.setattr("qivis.memory.keep_freed_memory", lambda: calls.append(None))
    arguments = [str(CONFIG), "--data-root", str(shapes), "--out", str(tmp_path / "run")]
    assert train_image.main([*arguments, "--device", "cpu", "--set", "optim.epochs=1"]) == 0
    assert calls == [None]


def test_a_bad_config_is_one_line(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "bad.yaml").write_text("model: {num_querys: 3}\n")
    line = refusal(train_image, tmp_path / "bad.yaml")
    assert line.startswith(f"train_image: {tmp_path / 'bad.yaml'}: ")
    assert "num_queries" in line


def test_missing_data_is_one_line(tmp_path: Path, refusal: Refusal) -> None:
    gone = tmp_path / "gone"
    line = refusal(train_image, CONFIG, "--data-root", gone, "--out", tmp_path / "run")
    assert line.startswith(f"train_image: {gone}/annotations/")
    assert "--data-root" in line
    assert not (tmp_path / "run").exists()


def test_a_bad_override_is_one_line(shapes: Path, refusal: Refusal) -> None:
    line = refusal(train_image, CONFIG, "--data-root", shapes, "--set", "optim.epochs=many")
    assert "optim.epochs" in line


def test_strict_stops_at_the_first_entry_that_cannot_be_used(
    shapes: Path, tmp_path: Path, refusal: Refusal
) -> None:
    content = json.loads((shapes / "annotations" / "instances_train2017.json").read_text())
    content["annotations"][0]["bbox"][2] = -1
    (tmp_path / "a.json").write_text(json.dumps(content))
    train = f"data.train=[{{images: train2017, annotations: {tmp_path / 'a.json'}}}]"
    out = tmp_path / "run"
    known = (CONFIG, "--data-root", shapes, "--out", out, "--set", train)
    line = refusal(train_image, "--strict", *known)
    assert line.startswith(f"train_image: {tmp_path / 'a.json'}: annotation 1: bbox is [")
    assert not out.exists()
    assert train_image.main([*map(str, known), "--device", "cpu", "--set", "optim.epochs=1"]) == 0


def test_help_answers_without_importing_torch() -> None:
    assert "--resume" in help_page(TOOL)
