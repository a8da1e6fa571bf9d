"""The command that converts published weights: what it prints and how it ends."""

from pathlib import Path

import convert_weights
import pytest
import torch

from qivis.models.weights import load_weights
from tests.golden.small import NUM_QUERIES, small_state_dict
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(convert_weights.__file__)


def test_the_new_file_is_named_and_can_be_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": small_state_dict()}, tmp_path / "in.pth")
    out = tmp_path / "new" / "out.safetensors"
    assert convert_weights.main([str(tmp_path / "in.pth"), str(out), "--inference"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    _, header = load_weights(out)
    assert (header.model.num_queries, header.inference_only) == (NUM_QUERIES, True)


def test_a_file_that_is_missing_is_one_line_and_exit_code_2(
    tmp_path: Path, refusal: Refusal
) -> None:
    gone = tmp_path / "gone.pth"
    line = refusal(convert_weights, gone, tmp_path / "out.safetensors")
    assert line.startswith(f"convert_weights: {gone}: ")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": {}, "meta": Harmful()}, tmp_path / "in.pth")
    line = refusal(convert_weights, tmp_path / "in.pth", tmp_path / "out")
    assert "in.pth: not a readable checkpoint" in line
    assert not (tmp_path / "ran").exists()


def test_help_answers_without_importing_torch() -> None:
    assert "--inference" in help_page(TOOL)
