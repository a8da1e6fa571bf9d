"""Numbers of command lines, what is said of others, and how Ctrl-C ends a command."""

import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

import pytest

from qivis.command_line import duration, share, whole_number

ROOT = Path(__file__).parents[1]
BELOW_TEN = "expected a whole number from 1 to 9, got "
SHARE, DURATION = "expected a number from 0 to 1, got ", "expected a number above 0, got "


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (whole_number(1, 9), "1", 1),
        (whole_number(1, 9), "9", 9),
        (whole_number(-5, 9), "-5", -5),
        (share, "0", 0.0),
        (share, "1", 1.0),
        (share, ".25", 0.25),
        (duration, "1e-3", 0.001),
    ],
)
def test_a_number_is_read(read: Callable[[str], float], text: str, value: float) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "words", "texts"),
    [
        (whole_number(1, 9), BELOW_TEN, ["0", "10", "1.5", "abc", "", "-1", "9" * 5000, "\u0663"]),
        (share, SHARE, ["-0.1", "1.1", "nan", "inf", "abc", ""]),
        (duration, DURATION, ["0", "-1", "inf", "nan", "a minute", ""]),
    ],
    ids=["whole", "share", "duration"],
)
def test_others_are_answered_with_what_is_expected(
    read: Callable[[str], float], words: str, texts: list[str]
) -> None:
    for text in texts:
        with pytest.raises(ArgumentTypeError) as caught:
            read(text)
        assert str(caught.value) == f"{words}{text!r}"


@pytest.mark.parametrize("tool", ["check_data", "evaluate", "export_onnx"])
def test_ctrl_c_is_one_line_and_130(tool: str) -> None:
    """Here while it reads its arguments."""
    code = (
        "import argparse, runpy\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "argparse.ArgumentParser.parse_args = interrupted\n"
        f"runpy.run_path('tools/{tool}.py', run_name='__main__')"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (130, f"{tool}: interrupted\n")
