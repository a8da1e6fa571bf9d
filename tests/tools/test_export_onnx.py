"""The command that exports: what it prints and how it ends."""

from pathlib import Path

import export_onnx
import pytest

from qivis.inference.onnx_predictor import load_onnx_predictor
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(export_onnx.__file__)


@pytest.mark.slow
def test_the_new_file_is_named_and_runs(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out.onnx"
    flags = ["--size", "64", "128", "--detections", "3"]
    assert export_onnx.main([str(tiny_weights), str(out), *flags]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    assert load_onnx_predictor(out).size == (64, 128)


@pytest.mark.parametrize(
    ("weights", "flags", "words"),
    [
        ("gone.safetensors", [], "gone.safetensors: no such file"),
        ("", ["--size", "50", "50"], "multiples of 32"),
        ("", ["--detections", "0"], "at least 1 detection"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    weights: str,
    flags: list[str],
    words: str,
    tiny_weights: Path,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    out = tmp_path / "out.onnx"
    assert words in refusal(export_onnx, weights or tiny_weights, out, *flags)
    assert not out.exists()


def test_a_place_that_cannot_be_written_to_is_refused_before_the_weights_are_read(
    tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "file").touch()
    line = refusal(export_onnx, "gone.safetensors", tmp_path / "file" / "out.onnx")
    assert str(tmp_path / "file") in line
    assert "is a folder; name the file" in refusal(export_onnx, "gone.safetensors", tmp_path)


def test_help_answers_without_importing_torch() -> None:
    assert "--detections" in help_page(TOOL)
