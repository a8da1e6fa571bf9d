"""A webcam, as FFmpeg reads it: the driver is one that answers like those of Video4Linux."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from qivis.inference.journal import CHUNK_FRAMES
from tests.interrupted import interruptible, wait_for_chunk

ROOT = Path(__file__).parents[3]
SOURCE = Path(__file__).with_name("webcam.c")
RATE = 50
READ = """
from qivis.data.video import open_video

with open_video("7") as video:
    print(*video.info.size, video.info.fps)
    for frame in video:
        print(frame.index, round(frame.seconds, 6), round(float(frame.image.float().mean())))
"""


@pytest.fixture(scope="module")
def plugged_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that finds a webcam, /dev/video7."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the driver is for Linux, and has to be compiled")
    library = tmp_path_factory.mktemp("webcam") / "webcam.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    return {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}


def read(plugged_in: dict[str, str], pictures: int) -> subprocess.CompletedProcess[str]:
    environment = plugged_in | {"WEBCAM_PICTURES": str(pictures)}
    command = [sys.executable, "-c", READ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def infer(tiny_weights: Path, out: Path, *options: str) -> list[str]:
    command = [sys.executable, "tools/infer_video.py", "7", "--weights", str(tiny_weights)]
    return [*command, "--score", "0", "--out", str(out), "--name", "webcam", *options]


def check_clip(folder: Path) -> int:
    """How many frames the results have, all alike."""
    frames: int = json.loads((folder / "summary.json").read_text())["frames"]
    for track in json.loads((folder / "tracks.json").read_text()):
        assert len(track["segmentations"]) == len(track["times"]) == frames
    with av.open(str(folder / "overlay.mp4")) as video:
        assert len(list(video.decode(video=0))) == frames
    assert not (folder / ".unfinished").exists()
    return frames


def test_every_picture_is_read_with_its_time(plugged_in: dict[str, str]) -> None:
    done = read(plugged_in, pictures=12)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == f"64 96 {RATE}"
    found = [[float(number) for number in line.split()] for line in lines]
    assert [(index, seconds) for index, seconds, _ in found] == [
        (index, pytest.approx(index / RATE)) for index in range(12)
    ]
    # Picture i has the luma 60 + 3 i, of 16 to 235.
    grey = [(44 + 3 * index) * 255 / 219 for index in range(12)]
    assert [level for *_, level in found] == pytest.approx(grey, abs=3)


def test_a_webcam_that_is_pulled_out_ends_the_clip_with_a_warning(
    plugged_in: dict[str, str],
) -> None:
    done = read(plugged_in, pictures=5)
    assert done.stdout.count("\n") == 1 + 5
    assert done.stderr.strip() == "7: damaged or broken off (No such device)"


def test_seconds_end_a_recording(
    plugged_in: dict[str, str], tiny_weights: Path, tmp_path: Path
) -> None:
    command = infer(tiny_weights, tmp_path, "--seconds", "0.5")
    done = subprocess.run(command, env=plugged_in, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert check_clip(tmp_path / "webcam") == RATE // 2


def test_a_recording_that_is_interrupted_is_a_clip(
    plugged_in: dict[str, str], tiny_weights: Path, tmp_path: Path
) -> None:
    with (
        interruptible(),
        subprocess.Popen(
            infer(tiny_weights, tmp_path), env=plugged_in, cwd=ROOT, stderr=subprocess.DEVNULL
        ) as process,
    ):
        wait_for_chunk(tmp_path / "webcam")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert check_clip(tmp_path / "webcam") >= CHUNK_FRAMES
