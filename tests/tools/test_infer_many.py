"""Many clips by workers of Ray, of which one is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import av
import infer_many
import numpy as np
import pytest

from qivis.inference.command import main as infer
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(infer_many.__file__)
NAMES = [f"clip{number}" for number in range(3)]
NUM_FRAMES = 400  # seconds of work: there is time to find who does it


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Noise, and many times the 64 frames of a chunk, after which a killed worker is replaced."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height = 96, 64
            for _ in range(NUM_FRAMES):
                picture = rng.integers(0, 255, (8, 12, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    return [str(tmp_path / f"{name}.mp4") for name in NAMES]


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install 'qivis[ray]'")
def test_two_workers_do_two_clips_at_once_and_sigterm_is_as_ctrl_c(
    clips: list[str], tiny_weights: Path, tmp_path: Path
) -> None:
    options = ["--weights", str(tiny_weights), "--score", "0", "--device", "cpu", "--workers", "2"]
    out = tmp_path / "many"
    command = [sys.executable, str(TOOL), *clips[:2], *options, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
        until = time.monotonic() + 120
        while len(list(out.glob(".*.lock"))) < 2:
            assert time.monotonic() < until, "one clip waits behind the other"
            time.sleep(0.02)
        tool.terminate()
        _, stderr = tool.communicate(timeout=60)
    assert tool.returncode == 130
    assert b"infer_many: interrupted; give the same command to go on" in stderr


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install 'qivis[ray]'")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks for a lock's owner in /proc")
def test_a_worker_that_is_killed_loses_nothing_and_nothing_is_done_twice(
    clips: list[str], tiny_weights: Path, tmp_path: Path
) -> None:
    options = ["--weights", str(tiny_weights), "--score", "0", "--device", "cpu"]
    out = tmp_path / "many"
    command = [sys.executable, str(TOOL), *clips, *options, "--out", str(out), "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
        victim, name = worker_in_the_middle_of_a_clip(out)
        os.kill(victim, signal.SIGKILL)
        stdout, stderr = tool.communicate(timeout=240)
    assert tool.returncode == 0, stderr
    lines = stdout.decode().splitlines()
    assert sorted(line for line in lines if line.startswith(str(out))) == [
        str(out / name) for name in NAMES
    ]
    assert sum(f"{NUM_FRAMES} frames" in line for line in lines) == len(NAMES)
    assert not any("done already" in line for line in lines)
    assert sorted(path.name for path in out.iterdir()) == NAMES
    assert infer([*clips, *options, "--out", str(tmp_path / "one")]) == 0
    for name in NAMES:
        files = sorted(path.name for path in (out / name).iterdir())
        assert files == ["overlay.mp4", "summary.json", "tracks.json"]
        for file in ("overlay.mp4", "tracks.json"):
            expected = (tmp_path / "one" / name / file).read_bytes()
            assert (out / name / file).read_bytes() == expected
        tasks = [
            json.loads((tmp_path / kind / name / "summary.json").read_text())
            for kind in ("many", "one")
        ]
        assert tasks[0]["task"] == tasks[1]["task"]


def worker_in_the_middle_of_a_clip(out: Path, seconds: float = 120) -> tuple[int, str]:
    """The process that keeps the lock of a run of which one chunk is done, and the run's name."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for chunk in out.glob("*/.unfinished/000000.jsonl"):
            name = chunk.parents[1].name
            if owner := process_with_open(out / f".{name}.lock"):
                return owner, name
        time.sleep(0.02)
    raise AssertionError("no worker is in the middle of a clip")


def process_with_open(path: Path) -> int | None:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                return int(link.parts[2])
        except OSError:  # it has ended, or is somebody else's
            continue
    return None


@pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install 'qivis[ray]'")
@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:port"])
def test_a_cluster_that_is_not_there_is_one_line_at_once(
    tmp_path: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    line = refusal(infer_many, "a.mp4", "--out", tmp_path)
    assert f"RAY_ADDRESS: the cluster of {address!r} cannot be reached (" in line
    assert "ray start --head" in line


@pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install 'qivis[ray]'")
def test_what_cannot_be_done_is_one_line(tmp_path: Path, refusal: Refusal) -> None:
    line = refusal(infer_many, "a.mp4", "b.mp4", "--name", "mine", "--out", tmp_path)
    assert "--name: 'mine' is one name for 2 clips" in line


def test_help_answers_without_importing_torch() -> None:
    page = help_page(TOOL)
    assert "--workers" in page
    assert "--shard" not in page
