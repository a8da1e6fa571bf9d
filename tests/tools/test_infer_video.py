import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "infer_video.py"


def run(*arguments, folder):
    # -S and -I leave only the standard library: what is found beyond it, the script finds itself.
    command = [sys.executable, "-I", "-S", str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_script_works_from_anywhere_without_installation(tmp_path):
    result = run("--help", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "SOURCE" in result.stdout


def test_the_exit_code_is_that_of_the_command(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run("clip.mp4", "--out", "file", folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_processes_of_torchrun_share_the_clips(shapes, tiny_weights, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mp4").write_bytes((shapes / "clip.mp4").read_bytes())
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(SCRIPT)]
    options = ["--weights", str(tiny_weights), "--score", "0", "--device", "cpu"]
    for _ in range(2):  # the second time there is nothing to do
        result = subprocess.run(
            [*command, "*.mp4", *options], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        lines = result.stdout.splitlines()
        assert {"shard 0/2: 2 of 3 clips", "shard 1/2: 1 of 3 clips"} <= set(lines)
        assert {"runs/a", "runs/b", "runs/c"} <= set(lines)
        assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b", "c"]
    assert sum("is done already" in line for line in lines) == 3
