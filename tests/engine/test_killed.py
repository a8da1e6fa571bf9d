"""A training that is killed, at any moment, ends bit for bit like one that never stopped."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from qivis.command_line import INTERRUPTED

Process = subprocess.Popen[bytes]
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "debug" / "tiny_shapes_image.yaml"
# Two steps an epoch, each of them saved; batch norm and the running mean have states, too.
OFTEN = ("optim.checkpoint_steps=1", "optim.ema_decay=0.9", "model.mask_norm=batch")
TIMEOUT = 600


def start(shapes: Path, out: Path, *overrides: str) -> Process:
    command = [sys.executable, str(ROOT / "tools" / "train_image.py"), str(CONFIG), "--resume"]
    command += ["--data-root", str(shapes), "--out", str(out), "--device", "cpu"]
    for override in (*OFTEN, *overrides):
        command += ["--set", override]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # Into a file: what reads a pipe would wait for the orphans that load data, too.
    with log_of(out).open("w") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def log_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.log")


def finish(process: Process, out: Path, code: int = 0) -> str:
    """Wait for the end with this exit code; returns what was printed."""
    try:
        process.wait(TIMEOUT)
    finally:
        process.kill()
    printed = log_of(out).read_text()
    assert process.returncode == code, printed
    return printed


def time_of_state(out: Path) -> int | None:
    """When it was written; None where there is none, as for an instant while it is replaced."""
    try:
        return (out / "training_state.pt").stat().st_mtime_ns
    except FileNotFoundError:
        return None


def wait_for_steps(process: Process, out: Path, seconds: float) -> bool:
    """Wait until the training has begun to save, and so much longer; False where it ended."""
    before = time_of_state(out)
    while time_of_state(out) in (None, before):
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    time.sleep(seconds)
    return process.poll() is None


def steps_of(out: Path) -> list[tuple[int, bool]]:
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], "lr" in line) for line in lines]


def digest(out: Path) -> str:
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def kill_and_go_on(
    shapes: Path, tmp_path: Path, overrides: Sequence[str], kills: int, seed: int
) -> int:
    """Compare an uninterrupted run with a killed one; returns how many kills hit a save."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(shapes, whole, *overrides), whole)
    rng, done, in_a_save = random.Random(seed), 0, 0
    while done < kills:
        process = start(shapes, broken, *overrides)
        if not wait_for_steps(process, broken, rng.uniform(0, 0.4)):
            break
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT)
        done += process.returncode == -signal.SIGKILL
        in_a_save += any(broken.glob(".*.part"))
    assert done == kills, "the run was over before all kills; let it be longer"
    finish(start(shapes, broken, *overrides), broken)
    assert digest(broken) == digest(whole)
    assert steps_of(broken) == steps_of(whole)
    assert not list(broken.glob(".*"))
    return in_a_save


def test_a_kill_leaves_no_trace(shapes: Path, tmp_path: Path) -> None:
    kill_and_go_on(shapes, tmp_path, ["optim.epochs=10", "optim.evaluate_epochs=5"], 1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["optim.workers=0"],
        ["optim.workers=2"],
        ["optim.workers=0", "optim.accumulate=2", "optim.epochs=240"],  # half as many steps each
        ["optim.workers=2", "optim.accumulate=2", "optim.epochs=240"],
    ],
    ids=["no workers", "workers", "accumulated", "workers, accumulated"],
)
def test_twenty_kills_leave_no_trace(shapes: Path, tmp_path: Path, overrides: list[str]) -> None:
    longer = ["optim.epochs=120", "optim.evaluate_epochs=30", *overrides]
    hits = kill_and_go_on(shapes, tmp_path, longer, 20, seed=len(overrides))
    assert hits > 0, "no kill hit a save"


@pytest.mark.parametrize("to_whole_group", [False, True], ids=["training alone", "whole group"])
def test_sigterm_saves_and_ends_well(shapes: Path, tmp_path: Path, to_whole_group: bool) -> None:
    lengthy = ("optim.epochs=1000", "optim.checkpoint_steps=1000000")
    out = tmp_path / "run"
    process = start(shapes, out, *lengthy, "optim.workers=2", "optim.evaluate_epochs=2")
    metrics = out / "metrics.jsonl"
    while not metrics.exists() or len(steps_of(out)) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    # To the whole group, those that load the data too, as schedulers and `timeout` do.
    (os.killpg if to_whole_group else os.kill)(process.pid, signal.SIGTERM)
    begin = time.monotonic()
    printed = finish(process, out)
    assert time.monotonic() - begin < 10
    assert "asked to end, saved after step" in printed
    assert (out / "training_state.pt").exists()
    assert (out / "model.safetensors").exists()


LENGTHY = ("optim.epochs=1000", "optim.checkpoint_steps=1000000", "optim.workers=2")


def wait_for_lines(process: Process, out: Path) -> None:
    metrics = out / "metrics.jsonl"
    while not metrics.exists() or len(steps_of(out)) < 2:
        assert process.poll() is None, log_of(out).read_text()
        time.sleep(0.01)


@pytest.mark.parametrize("to_whole_group", [False, True], ids=["training alone", "terminal"])
def test_an_interrupt_saves_and_ends_with_a_line(
    shapes: Path, tmp_path: Path, to_whole_group: bool
) -> None:
    out = tmp_path / "run"
    process = start(shapes, out, *LENGTHY, "optim.evaluate_epochs=2")
    wait_for_lines(process, out)
    (os.killpg if to_whole_group else os.kill)(process.pid, signal.SIGINT)
    printed = finish(process, out, INTERRUPTED)
    assert printed.splitlines()[-1] == "train_image: interrupted"
    assert "Traceback" not in printed
    assert (out / "training_state.pt").exists()


def test_a_picture_that_cannot_be_read_costs_no_step_before_it(
    shapes: Path, tmp_path: Path
) -> None:
    """It is told in one line, though another process has met it."""
    broken, out = tmp_path / "data", tmp_path / "run"
    shutil.copytree(shapes, broken)
    pictures = sorted((broken / "train2017").iterdir())
    pictures[-1].write_bytes(b"x")
    process = start(broken, out, *LENGTHY, "optim.batch_size=1", "optim.evaluate_epochs=1000")
    printed = finish(process, out, 2)
    assert "Traceback" not in printed
    assert printed.splitlines()[-1].startswith("train_image: ")
    assert pictures[-1].name in printed.splitlines()[-1]
    assert (out / "training_state.pt").exists()


def test_a_second_training_in_a_folder_is_refused(shapes: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "run", tmp_path / "other"
    process = start(shapes, out, *LENGTHY, "optim.evaluate_epochs=1000")
    while not out.exists():
        assert process.poll() is None
        time.sleep(0.01)
    other.symlink_to(out)  # so that each has a log of its own
    time.sleep(2)
    refused = finish(start(shapes, other, *LENGTHY), other, 2)
    assert "another training is at work in this folder; wait until it is done" in refused
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    finish(process, out)


def test_an_unforeseen_error_ends_the_training_and_those_that_load_its_data(
    shapes: Path, tmp_path: Path
) -> None:
    """They ignore SIGTERM, by which Python would end them before it waits for them."""
    out = tmp_path / "run"
    # A size that memory does not suffice for in the first forward pass.
    process = start(shapes, out, *LENGTHY, "model.mask_grid=100000")
    printed = finish(process, out, 1)
    assert "Traceback" in printed
