"""One worker of many; what they do together is in tests/tools/test_infer_many.py."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qivis.errors import ConfigError
from qivis.inference import many
from qivis.inference.arguments import parse_args
from qivis.inference.many import _Worker, segment_many


@pytest.fixture
def worker(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Worker:
    monkeypatch.chdir(tmp_path)  # and back again in the end
    options = ["--weights", str(tiny_weights), "--out", "runs", "--score", "0", "--max-frames", "2"]
    return _Worker(parse_args(["x", *options]), str(tmp_path))


def test_a_worker_does_clip_after_clip_where_it_was_asked_to(
    worker: _Worker, shapes: Path, tmp_path: Path
) -> None:
    source = str(shapes / "clip.mp4")
    first, second, again = (worker({"source": source, "name": n}) for n in ("a", "b", "a"))
    assert [outcome["complaint"] for outcome in (first, second, again)] == ["", "", ""]
    assert len(first["lines"].splitlines()) == 3  # of which one says what was loaded
    assert second["lines"].splitlines()[-1] == "runs/b"
    assert again["lines"].splitlines() == [f"{source}: is done already", "runs/a"]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"a", "b"}


def test_a_bad_clip_is_complained_of_and_the_worker_lives(worker: _Worker, shapes: Path) -> None:
    outcome = worker({"source": "gone.mp4", "name": "gone"})
    assert outcome["complaint"].startswith("gone.mp4: no such file")
    good = worker({"source": str(shapes / "clip.mp4"), "name": "good"})
    assert not good["complaint"]


def test_what_a_clip_warns_of_is_told_without_progress_bars(
    worker: _Worker, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(2):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(pictures / f"{number}.png")
    (pictures / "1.png").write_bytes(b"no picture")
    (line,) = worker({"source": str(pictures), "name": "a"})["warnings"].splitlines()
    assert "1.png: not a readable picture" in line


def test_what_is_wrong_for_every_clip_is_fatal(worker: _Worker, shapes: Path) -> None:
    worker.args.weights = "nosuch.safetensors"
    outcome = worker({"source": str(shapes / "clip.mp4"), "name": "a"})
    assert outcome["fatal"]
    assert outcome["complaint"].startswith("nosuch.safetensors: ")
    assert not worker({"source": "gone.mp4", "name": "b"})["fatal"]


def test_a_bug_costs_one_clip_and_is_told(
    worker: _Worker, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "segment", lambda *_, **__: [][0])
    outcome = worker({"source": str(shapes / "clip.mp4"), "name": "a"})
    assert outcome["complaint"].endswith(": IndexError: list index out of range; this is a bug")


def test_without_ray_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"Ray is not installed; pip install 'qivis\[ray\]'"):
        list(segment_many(parse_args(["clip.mp4", "--out", str(tmp_path / "runs")]), 2))
    assert list(tmp_path.iterdir()) == []
