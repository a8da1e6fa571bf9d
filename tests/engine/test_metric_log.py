"""The numbers of a training, line by line."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from qivis.engine.metric_log import MetricLog


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def write(folder: Path, first_step: int, *steps: int) -> None:
    with MetricLog(folder, first_step) as metrics:
        for step in steps:
            metrics.write(step, {"loss": step / 3})


def test_every_call_is_a_line(tmp_path: Path) -> None:
    write(tmp_path, 0, 20, 40)
    assert lines(tmp_path) == [{"step": 20, "loss": 6.66667}, {"step": 40, "loss": 13.3333}]


def test_lines_can_be_read_while_the_training_runs(tmp_path: Path) -> None:
    with MetricLog(tmp_path, 0) as metrics:
        metrics.write(20, {"loss": 1.0})
        assert lines(tmp_path) == [{"step": 20, "loss": 1.0}]


def test_a_resumed_run_goes_on_after_the_steps_that_are_done(tmp_path: Path) -> None:
    write(tmp_path, 0, 20, 40, 60)
    write(tmp_path, 40, 60, 80)
    assert [line["step"] for line in lines(tmp_path)] == [20, 40, 60, 80]


def test_a_new_run_starts_from_nothing(tmp_path: Path) -> None:
    write(tmp_path, 0, 20)
    write(tmp_path, 0, 10)
    assert [line["step"] for line in lines(tmp_path)] == [10]


def test_a_line_that_broke_off_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, 0, 20)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "lo')
    write(tmp_path, 30, 40)
    assert [line["step"] for line in lines(tmp_path)] == [20, 40]


def test_tensorboard_gets_the_numbers_too(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    write(tmp_path, 0, 20)
    assert any((tmp_path / "tensorboard").glob("events*"))


def test_nothing_is_missing_without_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # its import fails
    write(tmp_path, 0, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_damaged_lines_do_not_keep_a_run_from_going_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, 0, 20, 40)
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'oops\n[5]\n{"loss": 1}\n\xff\n')
    write(tmp_path, 40, 60)
    assert [line["step"] for line in lines(tmp_path)] == [20, 40, 60]
    assert "4 damaged lines are dropped" in caplog.text
