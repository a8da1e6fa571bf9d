"""A training that is killed, at any moment, ends bit for bit like one that never stopped."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

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


def finish(process: Process, out: Path) -> str:
    """Wait for the end, which has to be a good one; returns what was printed."""
    try:
        process.wait(TIMEOUT)
    finally:
        process.kill()
    printed = log_of(out).read_text()
    assert process.returncode == 0, printed
    return printed


def wait_for_steps(process: Process, out: Path, seconds: float) -> bool:
    """Wait until the training has begun to save, and so much longer; False where it ended."""
    state = out / "training_state.pt"
    before = state.stat().st_mtime_ns if state.exists() else 0
    while not state.exists() or state.stat().st_mtime_ns == before:
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
        ["optim.workers=0", "optim.accumulate=2"],
        ["optim.workers=2", "optim.accumulate=2"],
    ],
    ids=["no workers", "workers", "accumulated", "workers, accumulated"],
)
def test_twenty_kills_leave_no_trace(shapes: Path, tmp_path: Path, overrides: list[str]) -> None:
    longer = [*overrides, "optim.epochs=120", "optim.evaluate_epochs=30"]
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
