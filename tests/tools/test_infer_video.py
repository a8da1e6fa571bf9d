import subprocess
import sys
from pathlib import Path

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
