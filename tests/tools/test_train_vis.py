"""The command that trains on videos: clips to falling losses, and how it ends otherwise."""

import json
from pathlib import Path

import pytest
import train_vis

from qivis.models.weights import load_weights
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(train_vis.__file__)
CONFIG = TOOL.parents[1] / "configs" / "debug" / "tiny_shapes_vis.yaml"


def test_a_tiny_network_learns_to_find_the_moving_shapes_again(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = [str(CONFIG), "--data-root", str(shapes), "--out", str(out), "--device", "cpu"]
    arguments += ["--set", "optim.epochs=8"]
    assert train_vis.main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    *losses, measured = lines
    assert losses[-1]["loss"] < 0.9 * losses[0]["loss"]
    assert losses[-1]["association/contrastive"] < losses[0]["association/contrastive"]
    assert {"AP", "AP50", "AP/square"} <= measured.keys()
    model, header = load_weights(out / "model.safetensors")
    assert header.tracking.association == "embedding"
    assert model.association is not None
    assert train_vis.main([*arguments, "--resume"]) == 0


def test_videos_are_no_images(shapes: Path, refusal: Refusal) -> None:
    image_config = CONFIG.with_name("tiny_shapes_image.yaml")
    assert "model.association is none" in refusal(train_vis, image_config, "--data-root", shapes)


def test_help_answers_without_importing_torch() -> None:
    page = help_page(TOOL)
    assert "--resume" in page
    assert "videos" in page
