from pathlib import Path

import average_weights
import pytest

from qivis.models.weights import load_weights
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page


def test_the_mean_is_named_and_can_be_loaded(tiny_weights, tmp_path, capsys):
    out = tmp_path / "mean.safetensors"
    assert average_weights.main([str(tiny_weights), str(tiny_weights), str(out), "--half"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    load_weights(out)


def test_a_file_that_is_missing_is_one_line_and_exit_code_2(
    tiny_weights: Path, tmp_path: Path, refusal: Refusal
) -> None:
    gone = tmp_path / "gone.safetensors"
    assert "gone.safetensors" in refusal(average_weights, gone, tiny_weights, tmp_path / "out")


def test_a_place_that_cannot_be_written_to_is_one_line_and_exit_code_2(
    tiny_weights: Path, tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "out.safetensors", tmp_path):
        line = refusal(average_weights, tiny_weights, tiny_weights, out)
        assert f"{out}: cannot be written (" in line


@pytest.mark.parametrize("share", ["-0.1", "1.5", "half"])
def test_a_share_is_a_number_from_0_to_1(share, capsys):
    with pytest.raises(SystemExit) as stop:
        average_weights.parse_args(["a", "b", "c", "--share", share])
    assert stop.value.code == 2
    assert "--share" in capsys.readouterr().err


def test_help_comes_without_torch():
    assert "BEFORE.safetensors" in help_page(Path(average_weights.__file__))
