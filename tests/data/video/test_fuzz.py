"""Damaged videos, a few of them; benchmarks/fuzz_video.py has more."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "fuzz_video.py"


@pytest.mark.slow
def test_damaged_videos_end_in_frames_and_losses_or_one_line() -> None:
    command = [sys.executable, str(SCRIPT), "--cases", "24"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    rows = [line.split() for line in done.stdout.splitlines()[-3:]]
    assert [row[:2] for row in rows] == [["auto", "24"], ["decord", "24"], ["pyav", "24"]]
