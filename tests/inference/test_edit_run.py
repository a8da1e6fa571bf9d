import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from qivis.errors import ConfigError, DataError
from qivis.export.formats import EXPORTS
from qivis.inference.clip_again import frames_again
from qivis.inference.command import main
from qivis.inference.edit_run import (
    ORIGINAL_OVERLAY,
    ORIGINAL_TRACKS,
    edit_run,
    undo_edits,
)
from qivis.inference.edits import Edit, drop, merge, rename, split
from qivis.inference.further import REVIEW, write_further
from qivis.inference.run_folder import (
    BEFORE_EDIT,
    OVERLAY,
    SUMMARY,
    TRACKS,
    UNFINISHED,
    alone_in,
)
from qivis.inference.summary import read_run
from qivis.viz import color
from tests.finished_run import GREY, contents, make_run, pictures, seconds_of_sound, times

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "qivis" / "assets" / "demo.mp4"
RIGHT = (82, 100)  # a pixel of the object that is 3, then 7
MERGE = Edit("--merge 3,7", partial(merge, track_ids=[3, 7]))
RENAME = Edit("--rename 3=dog", partial(rename, track_id=3, name="dog"))
SPLIT = Edit("--split 0@2", partial(split, track_id=0, frame=2))
DROP = Edit("--drop 0", partial(drop, track_id=0))
UNKNOWN = Edit("--drop 5", partial(drop, track_id=5))


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def make_further(folder, *names, review=False):
    """Files beside those of a run; all that there are, if none is named."""
    frames = partial(frames_again, read_run(folder)[0])
    write_further(folder, names or list(EXPORTS), frames, review=review or not names)


def visible(folder):
    """The files that have final names, wherever the folder is, which the review page tells."""
    place = str(folder).encode()
    return {
        name: content.replace(place, b"FOLDER")
        for name, content in contents(folder).items()
        if not name.startswith(".")
    }


def cut_short(number):
    """Interrupts the drawing of the overlay after so many frames."""

    def progress(frames):
        for count, frame in enumerate(frames):
            if count == number:
                raise KeyboardInterrupt
            yield frame

    return progress


def shows(picture, where, track_id):
    expected = [0.38 * channel + 0.62 * GREY for channel in color(track_id)]
    return picture[where] == pytest.approx(expected, abs=8)


def test_tracks_and_summary_tell_of_the_edits(run):
    said = edit_run(run, [MERGE, RENAME])
    assert said == [
        "tracks 3, 7 are one now, track 3 (person), seen in 8 frames",
        "track 3 is of class dog, and was of class person",
    ]
    summary, clip = read_run(run)
    assert [(track.track_id, track.label, track.num_seen) for track in clip.tracks] == [
        (0, 1, 8),
        (3, 1, 8),
    ]
    assert (summary.tracks, summary.longest) == (2, 8)
    assert summary.edits == ["--merge 3,7", "--rename 3=dog"]


def test_the_overlay_shows_the_edits_at_the_same_times_with_the_same_sound(run):
    before = pictures(run / OVERLAY)
    before_times = times(run / OVERLAY)
    edit_run(run, [MERGE, DROP])
    after = pictures(run / OVERLAY)
    assert shows(before[6], RIGHT, 7)
    assert shows(after[6], RIGHT, 3)
    assert after[6][82, 28] == pytest.approx(GREY, abs=8)  # 0 was there
    assert times(run / OVERLAY) == before_times
    assert seconds_of_sound(run / OVERLAY) == pytest.approx(0.5, abs=0.2)
    assert pictures(run / ORIGINAL_OVERLAY)[6] == pytest.approx(before[6])


def test_exports_that_are_there_tell_of_the_edits_and_no_others_are_made(run):
    make_further(run)
    shutil.rmtree(run / "png")
    edit_run(run, [MERGE])
    assert not (run / "png").exists()
    ids = {line.split(",")[1] for line in (run / "mot.txt").read_text().splitlines()}
    assert ids == {"1", "4"}  # from 1 on there
    assert [path.name for path in sorted((run / "cutouts").iterdir())] == [
        "track_0000",
        "track_0003",
    ]
    assert len(list((run / "cutouts" / "track_0003").iterdir())) == 8
    edited = contents(run)
    make_further(run, *(set(EXPORTS) - {"png"}), review=True)
    assert contents(run) == edited


def test_further_edits_are_of_the_edited_tracks(run):
    edit_run(run, [MERGE])
    original = (run / ORIGINAL_TRACKS).read_bytes()
    edit_run(run, [SPLIT])
    with pytest.raises(ConfigError, match="--drop 5: there is no track 5; there are 0, 3, 4"):
        edit_run(run, [UNKNOWN])
    summary, clip = read_run(run)
    assert [track.track_id for track in clip.tracks] == [0, 3, 4]
    assert summary.edits == ["--merge 3,7", "--split 0@2"]
    assert (run / ORIGINAL_TRACKS).read_bytes() == original


def test_the_same_edits_at_once_or_one_by_one_give_the_same_files(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    edit_run(run, [MERGE, SPLIT])
    edit_run(other, [MERGE])
    edit_run(other, [SPLIT])
    assert contents(run) == contents(other)


def test_undoing_gives_every_byte_back(run):
    make_further(run)
    before = contents(run)
    edit_run(run, [MERGE])
    edit_run(run, [DROP])
    undo_edits(run)
    assert contents(run) == before


def test_undoing_draws_the_overlay_if_the_original_is_gone(run):
    edit_run(run, [MERGE])
    (run / ORIGINAL_OVERLAY).unlink()
    undo_edits(run)
    assert shows(pictures(run / OVERLAY)[6], RIGHT, 7)


def test_an_overlay_that_was_edited_is_never_taken_for_the_original(run):
    edit_run(run, [MERGE])
    (run / ORIGINAL_OVERLAY).unlink()
    edit_run(run, [DROP])
    assert not (run / ORIGINAL_OVERLAY).exists()


def test_what_was_not_edited_cannot_be_undone(run):
    before = contents(run)
    with pytest.raises(DataError, match="has no edits that could be undone"):
        undo_edits(run)
    assert contents(run) == before
    edit_run(run, [MERGE])
    undo_edits(run)
    with pytest.raises(DataError, match="has no edits that could be undone"):
        undo_edits(run)


def test_a_wrong_edit_among_right_ones_leaves_everything_as_it_was(run):
    before = contents(run)
    with pytest.raises(ConfigError, match="--drop 5: there is no track 5; there are 0, 3"):
        edit_run(run, [MERGE, UNKNOWN])
    assert contents(run) == before


def test_a_run_without_an_overlay_gets_none(run):
    (run / OVERLAY).unlink()
    edit_run(run, [MERGE])
    assert not (run / OVERLAY).exists()
    undo_edits(run)
    assert not (run / OVERLAY).exists()


def test_all_tracks_may_be_dropped_and_come_back(run):
    make_further(run)
    before = contents(run)
    edit_run(run, [DROP, MERGE, Edit("--drop 3", partial(drop, track_id=3))])
    assert read_run(run)[0].tracks == 0
    assert pictures(run / OVERLAY)[3] == pytest.approx(GREY, abs=8)
    undo_edits(run)
    assert contents(run) == before


def test_without_the_clip_what_needs_its_pictures_is_removed_and_said(run, tmp_path, caplog):
    make_further(run, "mot", "cutouts", review=True)
    before = contents(run)
    (tmp_path / "clip.mkv").rename(tmp_path / "away.mkv")
    edit_run(run, [MERGE])
    assert len(read_run(run)[1].tracks) == 2
    assert {line.split(",")[1] for line in (run / "mot.txt").read_text().splitlines()} == {"1", "4"}
    assert not (run / OVERLAY).exists()
    assert not (run / "cutouts").exists()
    assert [record.getMessage() for record in caplog.records] == [
        f"{run / name}: removed until it can be made anew: {tmp_path / 'clip.mkv'}: is no "
        "longer there; put it back, and run the command again"
        for name in (OVERLAY, "cutouts", REVIEW)
    ]
    undo_edits(run)
    gone = {name for name in before if name.startswith("cutouts/")} | {REVIEW, SUMMARY}
    after = contents(run)
    summary = json.loads(after.pop(SUMMARY))
    assert summary == json.loads(before[SUMMARY]) | {"missing": ["cutouts", REVIEW]}
    assert after == {name: before[name] for name in before.keys() - gone}
    (tmp_path / "away.mkv").rename(tmp_path / "clip.mkv")
    edit_run(run, [])
    for original in (ORIGINAL_TRACKS, ORIGINAL_OVERLAY):
        (run / original).unlink()
    assert contents(run) == before


def test_when_the_clip_is_back_what_it_takes_is_made_though_nothing_is_edited(run, tmp_path):
    make_further(run)
    whole = shutil.copytree(run, tmp_path / "whole")
    edit_run(whole, [MERGE])
    away = (tmp_path / "clip.mkv").rename(tmp_path / "away.mkv")
    edit_run(run, [MERGE])
    away.rename(tmp_path / "clip.mkv")
    assert edit_run(run, []) == []
    assert shows(pictures(run / OVERLAY)[6], RIGHT, 3)
    assert visible(run) == visible(whole)


def test_what_is_missing_is_known_after_an_edit_that_was_cut_short(run, tmp_path):
    make_further(run, "cutouts")
    before = contents(run)
    away = (tmp_path / "clip.mkv").rename(tmp_path / "away.mkv")
    edit_run(run, [MERGE])
    away.rename(tmp_path / "clip.mkv")
    with pytest.raises(KeyboardInterrupt):
        edit_run(run, [DROP], cut_short(1))
    undo_edits(run)
    assert contents(run) == before


def test_an_export_that_has_no_room_for_an_id_is_removed_and_said(run, caplog):
    content = json.loads((run / TRACKS).read_text())
    content[-1]["track_id"] = 254
    (run / TRACKS).write_text(json.dumps(content))
    make_further(run, "png", "mot")
    edit_run(run, [SPLIT])
    assert not (run / "png").exists()
    assert "has 255; export it as" in caplog.text
    assert "256" in (run / "mot.txt").read_text()


def test_only_finished_runs_are_edited(run, tmp_path):
    with pytest.raises(DataError, match="expected the folder of a finished run"):
        edit_run(tmp_path / "nothing", [MERGE])
    (run / UNFINISHED).mkdir()
    with pytest.raises(DataError, match="not finished; qivis-infer --resume finishes it"):
        edit_run(run, [MERGE])


@pytest.mark.parametrize("earlier", [[], [DROP]], ids=["the first edit", "a later one"])
def test_an_edit_that_was_cut_short_can_be_asked_again(run, tmp_path, earlier, caplog):
    make_further(run, "mot", "cutouts")
    edit_run(run, earlier)
    whole = shutil.copytree(run, tmp_path / "whole")
    edit_run(whole, [MERGE])
    for number in (0, 5):
        with pytest.raises(KeyboardInterrupt):
            edit_run(run, [MERGE], cut_short(number))
        assert (run / TRACKS).read_bytes() == (whole / TRACKS).read_bytes()
    caplog.clear()
    edit_run(run, [MERGE])
    assert contents(run) == contents(whole)
    assert [record.getMessage() for record in caplog.records] == [
        f"{run}: an edit was cut short; this starts from the tracks before it"
    ]


def test_an_edit_that_was_cut_short_does_not_count_for_another(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    with pytest.raises(KeyboardInterrupt):
        edit_run(run, [MERGE], cut_short(1))
    edit_run(run, [DROP])
    edit_run(other, [DROP])
    assert contents(run) == contents(other)


def test_an_edit_that_was_cut_short_can_be_undone(run):
    before = contents(run)
    with pytest.raises(KeyboardInterrupt):
        edit_run(run, [MERGE], cut_short(1))
    undo_edits(run)
    assert contents(run) == before


def test_an_undoing_that_was_cut_short_can_be_asked_again(run):
    before = contents(run)
    edit_run(run, [MERGE])
    original = (run / ORIGINAL_OVERLAY).rename(run.parent / "kept.mp4")
    with pytest.raises(KeyboardInterrupt):
        undo_edits(run, cut_short(1))
    assert (run / TRACKS).read_bytes() == before[TRACKS]
    original.rename(run / ORIGINAL_OVERLAY)
    undo_edits(run)
    assert contents(run) == before


def test_after_an_undoing_that_was_cut_short_one_may_go_on_editing(run, tmp_path):
    before = contents(run)
    edit_run(run, [MERGE])
    other = shutil.copytree(run, tmp_path / "other")
    kept = (run / ORIGINAL_OVERLAY).rename(tmp_path / "kept.mp4")
    with pytest.raises(KeyboardInterrupt):
        undo_edits(run, cut_short(1))
    kept.rename(run / ORIGINAL_OVERLAY)
    for folder in (run, other):
        edit_run(folder, [DROP])
    assert contents(run) == contents(other)
    undo_edits(run)
    assert contents(run) == before


def test_a_run_of_the_network_is_drawn_as_it_was_edited_and_given_back(tmp_path):
    options = "--device cpu --stride 2 --max-frames 6 --export mots cutouts --out"
    assert main([str(DEMO), *options.split(), str(tmp_path)]) == 0
    run = tmp_path / "demo"
    before, drawn, (_, clip) = contents(run), pictures(run / OVERLAY), read_run(run)
    edit_run(run, [])
    for ours, theirs in zip(pictures(run / OVERLAY), drawn, strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= 2
    first = clip.tracks[0].track_id
    edit_run(run, [Edit(f"--drop {first}", partial(drop, track_id=first))])
    assert read_run(run)[1].tracks == clip.tracks[1:]
    assert np.abs(pictures(run / OVERLAY)[0].astype(int) - drawn[0]).max() > 50
    undo_edits(run)
    assert contents(run) == before


@pytest.mark.parametrize("how", [partial(edit_run, edits=[DROP]), undo_edits], ids=["edit", "undo"])
def test_two_processes_do_not_edit_a_run_at_the_same_time(run, how):
    edit_run(run, [MERGE])
    before = contents(run)
    with alone_in(run), pytest.raises(DataError, match="another process is at work on this run"):
        how(run)
    assert contents(run) == before


def test_what_a_kill_has_left_of_exports_is_gone_after_an_edit(run):
    (run / ".png.abc.part").mkdir()
    (run / ".png.abc.part" / "00000.png").touch()
    (run / ".tracks.csv.abc.part").touch()
    edit_run(run, [DROP])
    assert not [name for name in contents(run) if "part" in name]


def test_a_run_may_be_called_by_the_folder_that_one_is_in(run, monkeypatch):
    monkeypatch.chdir(run)
    edit_run(Path(), [DROP])
    assert [track.track_id for track in read_run(run)[1].tracks] == [3, 7]


def test_where_the_original_cannot_be_kept_nothing_is_touched(run):
    before = contents(run)
    room = (run / OVERLAY).stat().st_size - 1
    finished = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "edit_tracks.py"), str(run), "--drop", "0"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    complaint = finished.stderr.splitlines()[-1]
    assert complaint.startswith(f"edit_tracks: {run}: cannot be written to (File too large)")
    assert complaint.endswith("make room, and run the command again")
    assert contents(run) == before


@pytest.mark.slow
def test_edits_that_are_killed_at_any_time_give_the_same_files(run, tmp_path):
    """Each kill is a SIGKILL of the command, at a time drawn from its whole duration."""

    tool = str(ROOT / "tools" / "edit_tracks.py")
    make_further(run)
    old, original = (run / TRACKS).read_bytes(), visible(run)
    whole = shutil.copytree(run, tmp_path / "whole")
    started = time.perf_counter()
    edit_run(whole, [MERGE, DROP])
    duration = time.perf_counter() - started
    new, edited = (whole / TRACKS).read_bytes(), visible(whole)
    draw, tracks = random.Random(0), set()
    for attempt in range(8):
        folder = shutil.copytree(run, tmp_path / f"{attempt}")
        words = [sys.executable, tool, str(folder), "--merge", "3,7", "--drop", "0"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (folder / BEFORE_EDIT).exists():
            time.sleep(0.001)
        time.sleep(draw.uniform(0, duration))
        process.send_signal(signal.SIGKILL)
        process.wait()
        tracks.add((folder / TRACKS).read_bytes())
        if (folder / BEFORE_EDIT).exists():
            edit_run(folder, [MERGE, DROP])
        assert visible(folder) == edited
        undo_edits(folder)
        assert visible(folder) == original
    assert tracks <= {old, new}
