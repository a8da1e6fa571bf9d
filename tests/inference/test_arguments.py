import os
import subprocess
import sys
from pathlib import Path

import pytest

from qivis.export.formats import EXPORTS
from qivis.inference.arguments import FORMATS, parse_args

ROOT = Path(__file__).parents[2]


def test_only_a_source_is_needed():
    args = parse_args(["clip.mp4"])
    assert (args.sources, args.out, args.save, args.export) == (
        ["clip.mp4"],
        Path("runs"),
        ["overlay"],
        [],
    )


def test_the_formats_are_those_that_can_be_written():
    assert set(FORMATS) == set(EXPORTS)  # said twice, for the command's help imports nothing


def test_a_name_with_a_dash_in_front_is_a_source_behind_two_dashes():
    assert parse_args(["--", "-clip.mp4"]).sources == ["-clip.mp4"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["clip.mp4", "--score", "1.5"],
        ["clip.mp4", "--batch", "0"],
        ["clip.mp4", "--association", "looks"],
        ["clip.mp4", "--stride", "0"],
        ["clip.mp4", "--seconds", "0"],
        ["clip.mp4", "--shard", "4/4"],
        ["clip.mp4", "--imgsz", "31"],
        ["clip.mp4", "--export", "avi"],
        ["clip.mp4", "--save", "everything"],
        ["clip.mp4", "--resume", "--overwrite"],
        ["clip.mp4", "--seconds", "inf"],
        ["clip.mp4", "--stride", "99999999999"],
        ["clip.mp4", "--max-pixels", "99999999999999999999"],
        ["clip.mp4", "--name", ".."],
        ["clip.mp4", "--name", "."],
        ["clip.mp4", "--name", "a/b"],
        ["clip.mp4", "--name", ""],
        ["clip.mp4", "--name", "x" * 201],
        ["clip.mp4", "--out", ""],
        ["clip.mp4", "--so"],
    ],
    ids=lambda arguments: " ".join(arguments[1:]) or "no source",
)
def test_arguments_that_make_no_sense_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_args(arguments)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_help_comes_at_once_and_without_heavy_imports():
    code = (
        "import sys; from qivis.inference.arguments import parse_args\n"
        "try: parse_args(['--help'])\n"
        "except SystemExit: sys.exit(3 if {'torch', 'numpy'} & set(sys.modules) else 0)"
    )
    before = processor_seconds_of_children()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert processor_seconds_of_children() - before < 0.5


def processor_seconds_of_children():
    """What they used, however busy the machine is otherwise."""
    times = os.times()
    return times.children_user + times.children_system
