import errno
import json
import re
import shutil

import pytest

from qivis.errors import DataError
from qivis.inference.run_folder import (
    SUMMARY,
    UNFINISHED,
    alone_in,
    begin_named_run,
    begin_run,
    drop_if_nothing_was_done,
    finish,
    is_finished,
    waiting_behind,
)

TASK = {"source": "clip.mp4", "stride": 1}
OTHER = {"source": "clip.mp4", "stride": 2}


def begin(path, task=TASK, *, resume=False, overwrite=False):
    return begin_run(path, task, resume=resume, overwrite=overwrite)


def complete(folder, task=TASK):
    (folder / SUMMARY).write_text(json.dumps({"task": task}))
    finish(folder)


def test_run_folders_are_numbered_and_never_reused(tmp_path):
    names = [begin(tmp_path / "runs" / "clip").name for _ in range(3)]
    assert names == ["clip", "clip-2", "clip-3"]


def test_a_file_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "clip").write_text("mine")
    assert begin(tmp_path / "clip") == tmp_path / "clip-2"
    assert (tmp_path / "clip").read_text() == "mine"


def test_a_run_is_finished_when_its_summary_is_there_and_its_journal_is_gone(tmp_path):
    folder = begin(tmp_path / "clip")
    assert not is_finished(folder)
    (folder / SUMMARY).write_text(json.dumps({"task": TASK}))
    assert not is_finished(folder)
    finish(folder)
    assert is_finished(folder)


@pytest.mark.parametrize("end", [finish, drop_if_nothing_was_done])
def test_a_run_is_not_half_removed_by_a_kill(tmp_path, monkeypatch, end):
    folder = begin(tmp_path / "clip")
    if end is finish:
        (folder / SUMMARY).write_text(json.dumps({"task": TASK}))

    def killed(path):
        (path / "task.json").unlink(missing_ok=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            end(folder)
    assert folder.exists() == is_finished(folder) == (end is finish)


def test_a_kill_while_a_run_is_finished_leaves_no_run_that_it_has_replaced(tmp_path, monkeypatch):
    complete(begin(tmp_path / "clip"))
    folder = begin(tmp_path / "clip", OTHER, overwrite=True)
    (folder / SUMMARY).write_text(json.dumps({"task": OTHER}))

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            finish(folder)
    assert waiting_behind(folder) is None
    finish(begin(tmp_path / "clip", OTHER, resume=True))
    assert is_finished(folder)


def test_a_run_may_have_as_long_a_name_as_can_be(tmp_path):
    path = tmp_path / ("x" * 240)
    complete(begin(path))
    drop_if_nothing_was_done(begin(path, OTHER, overwrite=True))
    complete(begin(path, OTHER, overwrite=True), OTHER)
    assert is_finished(path)


def test_what_another_process_has_put_aside_just_now_is_left_there(tmp_path):
    complete(begin(tmp_path / "clip"))
    folder = begin(tmp_path / "clip", OTHER, overwrite=True)
    with alone_in(folder):
        shutil.rmtree(folder)
        begin(tmp_path / "clip")
    assert waiting_behind(folder)


def test_a_finished_run_has_no_rests_of_one_that_was_killed_while_writing(tmp_path):
    folder = begin(tmp_path / "clip")
    (folder / ".overlay.mp4.x1.part").touch()
    complete(folder)
    assert [path.name for path in folder.iterdir()] == [SUMMARY]


def test_a_run_that_was_cut_short_is_taken_up_again(tmp_path):
    folder = begin(tmp_path / "clip")
    assert begin(tmp_path / "clip", resume=True) == folder
    assert begin(tmp_path / "clip") == tmp_path / "clip-2"  # not asked for


def test_a_finished_run_is_found_again_so_that_nothing_is_done_twice(tmp_path):
    complete(begin(tmp_path / "clip"))
    assert is_finished(begin(tmp_path / "clip", resume=True))


def test_the_latest_run_of_the_same_task_goes_on(tmp_path):
    complete(begin(tmp_path / "clip", OTHER), OTHER)
    complete(begin(tmp_path / "clip"))
    latest = begin(tmp_path / "clip")
    assert begin(tmp_path / "clip", resume=True) == latest


def test_another_task_that_is_finished_does_not_stand_in_the_way(tmp_path):
    complete(begin(tmp_path / "clip", OTHER), OTHER)
    assert begin(tmp_path / "clip", resume=True) == tmp_path / "clip-2"


def test_another_task_that_was_cut_short_is_not_mixed_with_this_one(tmp_path):
    begin(tmp_path / "clip", OTHER)
    with pytest.raises(
        DataError, match="stride was 2, is 1; use the same settings, or leave out --resume"
    ):
        begin(tmp_path / "clip", resume=True)


def test_overwriting_takes_the_place_of_an_earlier_run(tmp_path):
    folder = begin(tmp_path / "clip")
    complete(folder)
    (folder / "mot.txt").touch()
    assert begin(tmp_path / "clip", overwrite=True) == folder
    assert [path.name for path in folder.iterdir()] == [UNFINISHED]


def test_overwriting_leaves_alone_what_is_not_a_run(tmp_path):
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="is not the folder of a run"):
        begin(tmp_path / "clip", overwrite=True)
    assert (tmp_path / "clip" / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("name", ["000000.jsonl", "../overlay.mp4"])
def test_what_was_done_is_kept_after_a_failure(tmp_path, name):
    folder = begin(tmp_path / "clip")
    (folder / UNFINISHED / name).touch()
    drop_if_nothing_was_done(folder)
    assert (folder / UNFINISHED / name).exists()


def test_a_failure_before_anything_was_done_leaves_nothing(tmp_path):
    folder = begin(tmp_path / "clip")
    (folder / UNFINISHED / "000000.mp4").touch()  # of a chunk that was not finished
    drop_if_nothing_was_done(folder)
    assert not folder.exists()


def test_a_run_is_taken_up_again_though_one_before_it_was_removed(tmp_path):
    for _ in range(11):
        folder = begin(tmp_path / "clip")
    begin(tmp_path / "clip-other")
    (tmp_path / "clip" / UNFINISHED / "task.json").unlink()
    (tmp_path / "clip" / UNFINISHED).rmdir()
    (tmp_path / "clip").rmdir()
    assert folder.name == "clip-11"
    assert begin(tmp_path / "clip", resume=True) == folder


def test_another_clip_of_that_name_that_was_cut_short_is_left_alone(tmp_path):
    begin(tmp_path / "clip", {"source": "other/clip.mp4", "stride": 1})
    assert begin(tmp_path / "clip", resume=True) == tmp_path / "clip-2"


def test_a_run_of_a_fixed_name_is_begun_and_goes_on(tmp_path):
    path = tmp_path / "runs" / "clip"
    for _ in range(2):
        assert begin_named_run(path, TASK, overwrite=False) == path
        assert [p.name for p in path.parent.iterdir()] == ["clip"]
    complete(path)
    assert is_finished(begin_named_run(path, TASK, overwrite=False))
    assert is_finished(begin_named_run(path, TASK, overwrite=True))
    assert not is_finished(begin_named_run(path, OTHER, overwrite=True))


@pytest.mark.parametrize("is_complete", [False, True], ids=["cut short", "finished"])
def test_a_run_of_a_fixed_name_takes_no_other_and_no_other_s_place(tmp_path, is_complete):
    folder = begin_named_run(tmp_path / "clip", OTHER, overwrite=False)
    if is_complete:
        complete(folder, OTHER)
    with pytest.raises(DataError, match="clip: is the run of something else: stride was 2, is 1;"):
        begin_named_run(folder, TASK, overwrite=False)
    assert begin_named_run(folder, TASK, overwrite=True) == folder
    assert begin_named_run(folder, TASK, overwrite=False) == folder


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_of_a_fixed_name_leaves_alone_what_is_not_a_run(tmp_path, overwrite):
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match=r"clip: is not (a|the folder of a) run"):
        begin_named_run(tmp_path / "clip", TASK, overwrite=overwrite)
    assert (tmp_path / "clip" / "thesis.tex").read_text() == "mine"


def test_of_settings_in_sections_those_that_differ_are_named(tmp_path):
    def task(score):
        return {**TASK, "tracking": {"birth_score": score, "memory_frames": 30}}

    begin_named_run(tmp_path / "clip", task(0.3), overwrite=False)
    with pytest.raises(DataError, match=r"else: tracking.birth_score was 0.3, is 0.5; choose"):
        begin_named_run(tmp_path / "clip", task(0.5), overwrite=False)


def test_two_cannot_work_on_the_same_run(tmp_path):
    def intrude():
        with alone_in(tmp_path / "clip"):
            pass

    expected = pytest.raises(DataError, match="clip: another process is at work on this run; wait")
    with alone_in(tmp_path / "clip"), alone_in(tmp_path / "clip-2"), expected:
        intrude()
    assert list(tmp_path.iterdir()) == []


def mark(folder, text):
    (folder / "mark").write_text(text)


def marks(folder):
    return {path.name: (path / "mark").read_text() for path in folder.iterdir() if path.is_dir()}


@pytest.mark.parametrize("begin_again", [begin, begin_named_run], ids=["alone", "shared"])
def test_what_is_overwritten_is_gone_when_the_new_run_is_finished(tmp_path, begin_again):
    complete(begin(tmp_path / "clip"))
    mark(tmp_path / "clip", "old")
    folder = begin_again(tmp_path / "clip", OTHER, overwrite=True)
    mark(folder, "new")
    assert sorted(marks(tmp_path).values()) == ["new", "old"]
    complete(folder, OTHER)
    assert marks(tmp_path) == {"clip": "new"}


def test_what_is_overwritten_is_back_when_the_new_run_comes_to_nothing(tmp_path):
    complete(begin(tmp_path / "clip"))
    mark(tmp_path / "clip", "old")
    for _ in range(2):
        drop_if_nothing_was_done(begin(tmp_path / "clip", OTHER, overwrite=True))
        assert marks(tmp_path) == {"clip": "old"}


def test_a_run_that_was_cut_short_while_it_replaced_another_may_be_replaced_too(tmp_path):
    complete(begin(tmp_path / "clip"))
    mark(tmp_path / "clip", "old")
    mark(begin(tmp_path / "clip", overwrite=True), "cut short")
    mark(begin(tmp_path / "clip", overwrite=True), "new")
    assert marks(tmp_path) == {"clip": "new", ".clip.before": "old"}


@pytest.mark.parametrize("begin_again", [begin, begin_named_run], ids=["alone", "shared"])
def test_whoever_removes_a_run_that_was_to_replace_another_has_that_back(tmp_path, begin_again):
    complete(begin(tmp_path / "clip"))
    mark(tmp_path / "clip", "old")
    shutil.rmtree(begin(tmp_path / "clip", OTHER, overwrite=True))
    folder = begin_again(tmp_path / "clip", TASK, overwrite=False)
    assert folder.name == ("clip-2" if begin_again is begin else "clip")
    if begin_again is begin:
        complete(folder)
    assert (tmp_path / "clip" / "mark").read_text() == "old"


def test_where_no_new_folder_can_be_made_the_old_one_stays(tmp_path, monkeypatch):
    complete(begin(tmp_path / "clip"))
    mark(tmp_path / "clip", "old")

    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("qivis.inference.run_folder.write_atomically", no_room)
    with pytest.raises(OSError, match="No space left"):
        begin(tmp_path / "clip", overwrite=True)
    assert marks(tmp_path) == {"clip": "old"}


@pytest.mark.parametrize("source", ["overlay.mp4", "cutouts", "cutouts/*.png"])
def test_a_run_that_holds_what_is_to_be_read_is_not_overwritten(tmp_path, source):
    folder = begin(tmp_path / "clip")
    (folder / "cutouts").mkdir()
    for name in ("overlay.mp4", "cutouts/0.png"):
        (folder / name).touch()
    complete(folder)
    (tmp_path / "link").symlink_to(folder)
    task = TASK | {"source": str(tmp_path / "link" / source)}
    with pytest.raises(DataError, match=f"holds {re.escape(task['source'])}, which is to be read"):
        begin(folder, task, overwrite=True)
    assert (folder / "overlay.mp4").exists()


def test_a_link_to_a_run_is_replaced_and_not_what_it_leads_to(tmp_path):
    complete(begin(tmp_path / "kept"))
    (tmp_path / "clip").symlink_to("kept")
    complete(begin(tmp_path / "clip", OTHER, overwrite=True), OTHER)
    assert is_finished(tmp_path / "kept")
    assert not (tmp_path / "clip").is_symlink()
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_link_to_nothing_is_left_alone(tmp_path):
    (tmp_path / "clip").symlink_to("nowhere")
    assert begin(tmp_path / "clip") == tmp_path / "clip-2"


def test_of_what_is_no_run_nobody_is_told_to_overwrite_it(tmp_path):
    (tmp_path / "clip").mkdir()
    with pytest.raises(DataError, match=r"is not a run; choose another --out or --name$"):
        begin_named_run(tmp_path / "clip", TASK, overwrite=False)
