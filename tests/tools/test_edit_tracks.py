"""The command that corrects the tracks of a run: what it prints and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import edit_tracks
import pytest

from tests.finished_run import contents, make_run
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(edit_tracks.__file__)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path)


def edit(*arguments: object) -> int:
    return edit_tracks.main([str(argument) for argument in arguments])


def ids(run: Path) -> list[int]:
    return [entry["track_id"] for entry in json.loads((run / "tracks.json").read_text())]


def test_edits_are_made_in_the_order_of_the_command_line(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edits = "--split 0@2 --merge 3,7 --rename 8=person --split 3@6 --min-length 3 --drop 8"
    assert edit(run, *edits.split()) == 0
    assert capsys.readouterr().out.splitlines() == [
        "track 0 ends before frame 2, and is track 8 from there on",
        "tracks 3, 7 are one now, track 3 (person), seen in 8 frames",
        "track 8 is of class person, and was of class dog",
        "track 3 ends before frame 6, and is track 9 from there on",
        "tracks seen in fewer than 3 frames dropped: 0, 9",
        "track 8 (person), seen in 6 frames, is dropped",
        str(run),
    ]
    assert ids(run) == [3]
    words = json.loads((run / "summary.json").read_text())["edits"]
    assert " ".join(words) == edits


def test_an_edit_may_be_given_more_than_once(run: Path) -> None:
    assert edit(run, "--drop", 7, "--drop", 0) == 0
    assert ids(run) == [3]


def masks(run: Path) -> dict[int, list[object]]:
    entries = json.loads((run / "tracks.json").read_text())
    return {entry["track_id"]: entry["segmentations"] for entry in entries}


def test_swapped_tracks_have_each_other_s_masks_from_the_frame_on(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = masks(run)
    assert edit(run, "--swap", "7,3@5") == 0
    said = "tracks 7 and 3 are swapped from frame 5 on"
    assert capsys.readouterr().out.splitlines() == [said, str(run)]
    assert masks(run) == {
        0: before[0],
        3: before[3][:5] + before[7][5:],
        7: before[7][:5] + before[3][5:],
    }
    assert masks(run) != before


@pytest.mark.parametrize("kind", ["nobody listens", "a name without letters"])
def test_an_edit_that_is_made_is_no_failure_whoever_is_told(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "b\u00fcro"
    folder.mkdir()
    run = make_run(folder)
    command = [sys.executable, str(TOOL), str(run), "--drop", "7"]
    listening, telling = os.pipe()
    if kind == "nobody listens":
        os.close(listening)
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        command, stdout=telling, stderr=subprocess.PIPE, text=True, env=environment, check=False
    )
    os.close(telling)
    assert (result.returncode, ids(run)) == (0, [0, 3])
    assert "edit_tracks" not in result.stderr
    if kind != "nobody listens":
        assert rb"b\xfcro" in os.read(listening, 10_000)
        os.close(listening)


def test_all_is_undone_at_once(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(run)
    assert edit(run, "--drop", 7) == 0
    assert edit(run, "--drop", 0) == 0
    capsys.readouterr()
    assert edit(run, "--undo") == 0
    assert capsys.readouterr().out == f"{run}\n"
    assert contents(run) == before


def test_names_with_spaces_are_kept_as_a_shell_takes_them(run: Path) -> None:
    path = run / "summary.json"
    path.write_text(path.read_text().replace('"dog"', '"stop = sign"'))
    assert edit(run, "--rename", "3=stop = sign") == 0
    assert json.loads(path.read_text())["edits"] == ["--rename '3=stop = sign'"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--drop", 9], "--drop 9: there is no track 9; there are 0, 3, 7"),
        (["--drop", 7, "--merge", "3,7"], "--merge 3,7: there is no track 7; there are 0, 3"),
        (["--merge", "3,3"], "--merge 3,3: track 3 is named twice; name each track once"),
        (["--swap", "0,3@8"], "--swap 0,3@8: there is no frame 8; the clip has frames 0 to 7"),
        (["--split", "0@8"], "--split 0@8: there is no frame 8; the clip has frames 0 to 7"),
        (["--rename", "0=dig"], "--rename 0=dig: there is no class 'dig'; did you mean 'dog'? "),
        (["--undo"], "has no edits that could be undone (no tracks.original.json)"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2_and_nothing_is_written(
    run: Path, arguments: list[object], complaint: str, refusal: Refusal
) -> None:
    before = contents(run)
    assert complaint in refusal(edit_tracks, run, *arguments)
    assert contents(run) == before


def test_a_folder_without_a_run_is_one_line(tmp_path: Path, refusal: Refusal) -> None:
    line = refusal(edit_tracks, tmp_path, "--drop", 1)
    assert line.startswith(f"edit_tracks: {tmp_path / 'summary.json'}: cannot be read")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--merge", "3"], "--merge: expected at least two ids, such as 3,7; got '3'"),
        (["--merge", "3, 7"], "--merge: expected at least two ids"),
        (["--split", "4"], "--split: expected an id and a frame, such as 4@120; got '4'"),
        (["--split", "4@-1"], "--split: expected an id and a frame"),
        (["--swap", "3,7"], "--swap: expected two ids and a frame, such as 3,7@120; got '3,7'"),
        (["--swap", "3,7,9@2"], "--swap: expected two ids and a frame"),
        (["--drop", "dog"], "--drop: expected an id, such as 9; got 'dog'"),
        (["--rename", "2="], "--rename: expected an id and a class, such as 2=person; got '2='"),
        (["--min-length", "x"], "--min-length: expected a number of frames, such as 5; got 'x'"),
        (["--undo", "--drop", "9"], "--undo takes all edits back; give it alone"),
    ],
)
def test_arguments_that_cannot_be_understood_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        edit("run", *arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_answers_without_importing_torch() -> None:
    page = help_page(TOOL)
    assert "--merge ID,ID" in page
    assert "--split 4@120" in page
