import time

import pytest
import torch

from qivis.inference import onnx_predictor, run
from qivis.inference.command import main
from qivis.inference.onnx_predictor import OnnxPredictor
from qivis.inference.profile import STAGES, Profile

CPU = torch.device("cpu")


def milliseconds(table):
    """Of each stage, as the table tells."""
    rows = [line.rsplit(maxsplit=2) for line in table.splitlines()[1:]]
    return {stage: float(each) for stage, each, _ in rows}


def slow_items(number):
    for item in range(number):
        time.sleep(0.01)
        yield item


def test_time_is_counted_for_the_stage_in_which_it_is_spent(monkeypatch):
    monkeypatch.setattr(run, "gather", lambda: time.sleep(0.02))
    monkeypatch.setattr(run, "wanted", slow_items)
    profile = Profile(CPU)
    with profile.watching():
        run.gather()
        time.sleep(0.05)
        assert list(run.wanted(3)) == [0, 1, 2]
        run.gather()
    spent = milliseconds(profile.table(num_frames=2))
    assert spent["put together"] >= 20
    assert spent["decode"] >= 15
    elsewhere = spent["the whole run"] - spent["put together"] - spent["decode"]
    assert elsewhere >= 25
    assert "tracking" not in spent


def test_an_error_is_counted_and_passed_on(monkeypatch):
    def fail():
        time.sleep(0.01)
        raise ValueError("lost")

    monkeypatch.setattr(run, "gather", fail)
    profile = Profile(CPU)
    with profile.watching(), pytest.raises(ValueError, match="lost"):
        run.gather()
    assert milliseconds(profile.table(1))["put together"] >= 10


def test_nothing_is_left_behind():
    before = [getattr(owner, name) for _, owner, name in STAGES]
    with Profile(CPU).watching():
        assert all(
            getattr(owner, name) is not function
            for (_, owner, name), function in zip(STAGES, before, strict=True)
        )
    assert [getattr(owner, name) for _, owner, name in STAGES] == before


def test_a_run_tells_where_its_time_went(shapes, tiny_weights, tmp_path, capsys):
    clip, weights = str(shapes / "clip.mp4"), str(tiny_weights)
    options = ["--score", "0", "--out", str(tmp_path), "--device", "cpu", "--profile"]
    assert main([clip, "--weights", weights, *options]) == 0
    out = capsys.readouterr().out
    table = out[out.index(" ms a frame") : out.index(clip)]
    spent = milliseconds(table)
    of_torch = [stage for stage, owner, _ in STAGES if owner not in (onnx_predictor, OnnxPredictor)]
    not_there = {"embeddings", "fetch from device"}  # of these weights, on a CPU
    expected = [stage for stage in dict.fromkeys(of_torch) if stage not in not_there]
    assert list(spent) == [*expected, "the whole run"]
    without = {"paste masks", "put together", "resize"}  # may take next to nothing
    assert all(each > 0 for stage, each in spent.items() if stage not in without)
    assert max(spent.values()) > 0.1


def test_a_run_of_an_exported_network_has_its_time_told_too(shapes, tiny_graph, tmp_path, capsys):
    options = ["--score", "0", "--out", str(tmp_path), "--profile", "--weights", str(tiny_graph[1])]
    assert main([str(shapes / "clip.mp4"), *options]) == 0
    out = capsys.readouterr().out
    spent = milliseconds(out[out.index(" ms a frame") : out.index(str(shapes / "clip.mp4"))])
    assert spent["ONNX Runtime"] > 0.1
    assert "refinement stages" not in spent
