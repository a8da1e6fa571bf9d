"""Where a run is written: a folder of its own, which says what was asked and whether it is done."""

import glob
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qivis.data.video import files_of
from qivis.errors import DataError
from qivis.files import locked, remove_folder, remove_partial_files, write_atomically

OVERLAY, TRACKS, SUMMARY = "overlay.mp4", "tracks.json", "summary.json"
UNFINISHED = ".unfinished"  # the folder of a run's journal, gone when the run is finished
TASK = "task.json"  # in it
BEFORE_EDIT = ".before_edit"  # the folder of what was there before an edit that is not finished

Task = Mapping[str, Any]  # JSON: the clip, the weights and all settings


def begin_run(path: Path, task: Task, *, resume: bool, overwrite: bool) -> Path:
    """The folder for a run.

    Args:
        path: its name, if that is free; otherwise it gets -2, -3 ..., and nothing is overwritten.
        task: what is asked.
        resume: take the latest folder of that name with this task, finished or not, if any.
        overwrite: take `path` itself. What an earlier run has left there is put aside, and gone
            when the new one is finished; where that comes to nothing, it is there again.

    Raises:
        DataError: if what is to be resumed was another task, or what is to be overwritten is not
            a run, or holds what is to be read.
    """
    if waiting_behind(path) and not overwrite:
        with suppress(DataError), alone_in(path):  # else another process overwrites it right now
            _bring_back(path)
    if resume and (earlier := earlier_run(path, task)):
        return earlier
    if overwrite:
        _put_aside(path, task)
    with _back_after_an_error(path):
        for folder in _candidates(path):
            if not os.path.lexists(folder) and _appears(folder, task):
                return folder
    raise AssertionError("there is always another number")


def begin_named_run(path: Path, task: Task, *, overwrite: bool) -> Path:
    """The folder for a run of this very name, which goes on if it was begun.

    So that many processes that are told of the same clips agree on their folders, whoever is first.

    Args:
        path, task: as `begin_run` takes them.
        overwrite: replace what was another task. The same one goes on, or is done: the command may
            be given again until all is done.

    Raises:
        DataError: if `path` is of another task, or not of a run, and is not to be overwritten.
    """
    _bring_back(path)
    found = _task_of(path)
    if found == task:
        return path
    if os.path.lexists(path) and not overwrite:
        if not found:
            raise DataError(f"{path}: is not a run; choose another --out or --name")
        raise DataError(
            f"{path}: is the run of something else: {_difference(found, task)}; choose another "
            "--out, or --overwrite it"
        )
    _put_aside(path, task)
    with _back_after_an_error(path):
        if not _appears(path, task):
            raise DataError(f"{path}: was made by another process just now; begin again")
    return path


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """No other process works on the run until the block ends: two would mix their chunks.

    Raises:
        DataError: if one does.
    """
    try:
        with locked(folder.with_name(f".{folder.name}.lock")):
            yield
    except BlockingIOError as error:
        raise DataError(
            f"{folder}: another process is at work on this run; wait until it is done, or choose "
            "another --out"
        ) from error


def is_finished(folder: Path) -> bool:
    """Whether everything that the run was to write has its final name."""
    return (folder / SUMMARY).is_file() and not (folder / UNFINISHED).exists()


def check_no_edit_is_open(folder: Path) -> None:
    """See that the files of a finished run belong together.

    Raises:
        DataError: if an edit was cut short.
    """
    if (folder / BEFORE_EDIT).exists():
        raise DataError(
            f"{folder}: an edit was cut short; have it done or undone by tools/edit_tracks.py, and "
            "run the command again"
        )


def finish(folder: Path) -> None:
    """The results are there: what was needed to go on is removed, and what they replace."""
    remove_partial_files(folder)
    _remove(_aside(folder))  # first: a run that is finished is not looked at again
    remove_folder(folder / UNFINISHED)


def drop_if_nothing_was_done(folder: Path) -> None:
    """Remove a run folder in which not one chunk was finished: failures leave what was before."""
    if list(folder.iterdir()) == [folder / UNFINISHED] and not any(
        path.suffix == ".jsonl" for path in (folder / UNFINISHED).iterdir()
    ):
        remove_folder(folder)
        _bring_back(folder)


def waiting_behind(folder: Path) -> Path | None:
    """The earlier run that an unfinished one shall replace, if there is one."""
    return _aside(folder) if os.path.lexists(_aside(folder)) else None


def earlier_run(path: Path, task: Task) -> Path | None:
    """The latest folder of a name with this task, finished or not; None if there is none.

    Raises:
        DataError: if what is there of the clip, and not finished, was another task.
    """
    others = []
    for folder in _there(path):
        found = _task_of(folder)
        if found == task:
            return folder
        if found and found.get("source") == task.get("source") and not is_finished(folder):
            others.append((folder, found))
    if not others:
        return None
    folder, found = others[0]
    raise DataError(
        f"{folder}: cannot go on, for that run was asked for something else: "
        f"{_difference(found, task)}; use the same settings, or leave out --resume to begin anew"
    )


def _put_aside(path: Path, task: Task) -> None:
    """Make room for a run; one that is not finished is nothing to come back to."""
    if not os.path.lexists(path):
        return
    if _task_of(path) is None:
        raise DataError(
            f"{path}: is not the folder of a run, so --overwrite leaves it alone; choose another "
            "--out or --name"
        )
    source, place = task["source"], path.resolve()
    if any(file.resolve().is_relative_to(place) for file in files_of(source)):
        raise DataError(
            f"{path}: holds {source}, which is to be read, so --overwrite leaves it alone; choose "
            "another --out or --name"
        )
    if is_finished(path):
        _remove(_aside(path))
        path.rename(_aside(path))
    else:
        _remove(path)


@contextmanager
def _back_after_an_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _bring_back(path)
        raise


def _bring_back(path: Path) -> None:
    """Undo `_put_aside` where no other run stands in the place."""
    if os.path.lexists(_aside(path)) and not os.path.lexists(path):
        _aside(path).rename(path)


def _aside(path: Path) -> Path:
    """Where the run is that another of its name shall replace."""
    return path.with_name(f".{path.name}.before")


def _remove(path: Path) -> None:
    """A folder, or a link to one, if it is there."""
    if path.is_symlink():
        path.unlink()
    else:
        remove_folder(path)


def _appears(folder: Path, task: Task) -> bool:
    """Make a folder that has its task from the first moment; False if it is there already."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        write_atomically(partial / UNFINISHED / TASK, json.dumps(task).encode("ascii"))
        partial.chmod(0o755)
        partial.rename(folder)  # which fails if something is in a folder of that name
    except OSError:
        shutil.rmtree(partial)
        if os.path.lexists(folder):
            return False
        raise
    return True


def _task_of(folder: Path) -> Task | None:
    """What a run was asked to do; None if the folder holds none."""
    for path in (folder / UNFINISHED / TASK, folder / SUMMARY):
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            return dict(content["task"] if path.name == SUMMARY else content)
    return None


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    yield from (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))


def _there(path: Path) -> list[Path]:
    """The folders of this name and of those with numbers that exist, the latest first."""
    numbered = [
        (int(number), folder)
        for folder in path.parent.glob(f"{glob.escape(path.name)}-*")
        if (number := folder.name.removeprefix(f"{path.name}-")).isdecimal()
    ]
    first = [path] if path.exists() else []
    return [folder for _, folder in sorted(numbered, reverse=True)] + first


def _difference(found: Task, task: Task) -> str:
    was, now = _flat(found), _flat(task)
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return ", ".join(f"{name} was {was.get(name)!r}, is {now.get(name)!r}" for name in names)


def _flat(task: Task) -> dict[str, Any]:
    """Settings of sections under names such as tracking.birth_score."""
    flat = dict[str, Any]()
    for name, value in task.items():
        inner = value if isinstance(value, dict) else {}
        flat |= {f"{name}.{key}": setting for key, setting in inner.items()} or {name: value}
    return flat
