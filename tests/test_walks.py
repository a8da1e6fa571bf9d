"""The commands one after the other, as a user runs them."""

import json
import os
import zipfile
from pathlib import Path

import evaluate
import export_submission
import make_pasted_clips
import pytest
import train_vis

from tests.discs import make_discs

BASE = Path(__file__).parents[1] / "configs" / "debug" / "tiny_shapes_vis.yaml"
CONFIG = """
_base_: [{base}]
data:
  train:
    - {{kind: videos, images: pasted/train/JPEGImages, annotations: pasted/train.json}}
    - {{images: discs, annotations: discs/a.json}}
  val: {{kind: videos, images: pasted/valid/JPEGImages, annotations: pasted/valid.json}}
optim: {{epochs: 2, milestones: [1], batch_size: 4}}
# Nobody recognises anything after eight steps: whatever is seen is followed.
tracking: {{keep_score: 0.0, birth_score: 0.0, min_frames: 1}}
"""


def test_from_pictures_to_a_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "discs").mkdir()
    make_discs(tmp_path / "discs")
    config = tmp_path / "walk.yaml"
    config.write_text(CONFIG.format(base=os.path.relpath(BASE, tmp_path)))
    root = ["--data-root", str(tmp_path)]

    pictures = ["--train", str(tmp_path / "discs"), str(tmp_path / "discs" / "a.json")]
    numbers = ["--num-train", "2", "--num-valid", "1", "--length", "6", "--size", "72", "128"]
    make_pasted_clips.main([str(tmp_path / "pasted"), *pictures, *numbers, "--objects", "2", "2"])

    run = tmp_path / "run"
    assert train_vis.main([str(config), *root, "--out", str(run), "--device", "cpu"]) == 0
    weights = ["--weights", str(run / "model.safetensors")]

    metrics = tmp_path / "metrics.json"
    assert evaluate.main([str(config), *weights, *root, "--metrics", str(metrics)]) == 0
    assert "AP" in capsys.readouterr().out
    assert {"AP", "IDF1", "AP/red"} <= json.loads(metrics.read_text()).keys()

    archive = tmp_path / "results.zip"
    assert export_submission.main([str(config), *weights, *root, "--out", str(archive)]) == 0
    with zipfile.ZipFile(archive) as opened:
        entries = json.loads(opened.read("results.json"))
    assert len(entries) > 0
    assert {len(entry["segmentations"]) for entry in entries} == {6}

    annotations = tmp_path / "pasted" / "valid.json"
    check = ["--check", str(archive), "--annotations", str(annotations)]
    assert export_submission.main(check) == 0
    assert "can be uploaded" in capsys.readouterr().out
