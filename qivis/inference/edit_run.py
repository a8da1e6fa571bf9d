"""Edits of a finished run: its files are made anew from the corrected tracks, without the network.

An edit counts as a whole or not at all. Before anything is changed, the tracks and the summary are
put aside in a folder that goes away when all is done; where it is found, an edit was cut short, and
the next one starts from what is in it.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from qivis.errors import DataError, QivisError
from qivis.export.formats import EXPORTS
from qivis.export.tracks_json import write_tracks
from qivis.files import atomic_folder, atomic_path, remove_partial_files
from qivis.inference.clip_again import frames_again
from qivis.inference.edits import Edit
from qivis.inference.further import REVIEW, write_further
from qivis.inference.redraw import redraw
from qivis.inference.run_folder import (
    BEFORE_EDIT,
    OVERLAY,
    TRACKS,
    UNFINISHED,
    alone_in,
)
from qivis.inference.summary import Summary, read_run, with_tracks, write_summary
from qivis.structures import Frame, TrackedClip

ORIGINAL_TRACKS, ORIGINAL_OVERLAY = "tracks.original.json", "overlay.original.mp4"

Progress = Callable[[Iterable[Frame]], Iterable[Frame]]

log = logging.getLogger(__name__)


def edit_run(folder: Path, edits: Sequence[Edit], progress: Progress = iter) -> list[str]:
    """Correct the tracks of a run, and make its overlay, exports and review page anew.

    The tracks and the overlay of the run itself are kept under names of their own. What cannot be
    made anew is removed, with a warning that says why: it would tell of tracks that are no more.
    The next edit, or undoing, tries again.

    Args:
        folder: of a finished run.
        edits: one after the other; without any, only the files are made anew.
        progress: wraps the frames that are drawn, to show how far it is.

    Returns:
        A line for each edit that says what was done.

    Raises:
        ConfigError: if an edit makes no sense; nothing has changed then.
        DataError: if the folder holds no finished run, cannot be written to, or another process is
            at work on it.
    """
    with _alone_in(folder):
        return _edit(folder, edits, progress)


def _edit(folder: Path, edits: Sequence[Edit], progress: Progress) -> list[str]:
    summary, clip = _state(folder)
    said = []
    for edit in edits:
        clip, line = edit.apply(clip)
        said.append(line)
    if not summary.edits:  # before anything changes: what cannot be kept is not touched either
        _keep(folder / OVERLAY, folder / ORIGINAL_OVERLAY)
        _keep(folder / TRACKS, folder / ORIGINAL_TRACKS)
    files = _files(folder, summary)
    with _as_a_whole(folder, summary, files):
        write_tracks(clip, folder / TRACKS)
        after = with_tracks(summary, clip, [*summary.edits, *(edit.text for edit in edits)])
        _finish(folder, after, clip, files, progress)
    return said


def undo_edits(folder: Path, progress: Progress = iter) -> None:
    """Give a run its own tracks and overlay back, and make exports and review page anew.

    Args:
        folder: of the run.
        progress: wraps the frames that are drawn, if the overlay of the run is not there any more.

    Raises:
        DataError: if the folder holds no finished run, the run was never edited, nothing can be
            written there, or another process is at work on it.
    """
    with _alone_in(folder):
        _undo(folder, progress)


def _undo(folder: Path, progress: Progress) -> None:
    summary, _ = _state(folder)
    tracks, overlay = folder / ORIGINAL_TRACKS, folder / ORIGINAL_OVERLAY
    if not tracks.is_file():
        raise DataError(f"{folder}: has no edits that could be undone (no {ORIGINAL_TRACKS})")
    files = _files(folder, summary)
    with _as_a_whole(folder, summary, files):
        _copy(tracks, folder / TRACKS)
        clip = read_run(folder)[1]
        if overlay.is_file():
            _copy(overlay, folder / OVERLAY)
            files = [name for name in files if name != OVERLAY]
        _finish(folder, with_tracks(summary, clip, []), clip, files, progress)
    for original in (overlay, tracks):
        original.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """As `alone_in`, by whatever name the run is called; no lock is made of what is not there."""
    if not folder.is_dir():
        yield
        return
    with alone_in(folder.resolve()):
        remove_partial_files(folder)
        yield


def _state(folder: Path) -> tuple[Summary, TrackedClip]:
    """What an edit starts from."""
    if (folder / UNFINISHED).exists():
        raise DataError(f"{folder}: this run is not finished; qivis-infer --resume finishes it")
    if not (folder / BEFORE_EDIT).exists():
        return read_run(folder)
    log.warning("%s: an edit was cut short; this starts from the tracks before it", folder)
    return read_run(folder / BEFORE_EDIT)


def _files(folder: Path, summary: Summary) -> list[str]:
    """Names of those that a run has, or should have, besides its tracks and its summary."""
    names = [OVERLAY, *(export.file_name for export in EXPORTS.values()), REVIEW]
    return [name for name in names if (folder / name).exists() or name in summary.missing]


@contextmanager
def _as_a_whole(folder: Path, summary: Summary, files: Sequence[str]) -> Iterator[None]:
    """Leaves behind what was there before, and which files, unless the block ends well."""
    before = folder / BEFORE_EDIT
    if not before.exists():
        with atomic_folder(before) as partial_folder:
            shutil.copyfile(folder / TRACKS, partial_folder / TRACKS)
            write_summary(replace(summary, missing=files), partial_folder)
    yield
    done = before.with_suffix(".part")  # half of it would be taken for an edit that was cut short
    shutil.rmtree(done, ignore_errors=True)
    before.rename(done)
    shutil.rmtree(done)


def _keep(path: Path, original: Path) -> None:
    if path.exists() and not original.exists():
        _copy(path, original)


def _copy(path: Path, to: Path) -> None:
    """Whole or not at all."""
    with atomic_path(to) as unfinished:
        shutil.copyfile(path, unfinished)


def _draw(summary: Summary, clip: TrackedClip, folder: Path, progress: Progress) -> None:
    source = Path(summary.task["source"])
    sound = source if source.is_file() else None
    redraw(clip, progress(frames_again(summary)), folder / OVERLAY, sound, folder / BEFORE_EDIT)


def _finish(
    folder: Path, summary: Summary, clip: TrackedClip, files: Sequence[str], progress: Progress
) -> None:
    """Write the summary, and make files anew of the tracks that are written already."""
    write_summary(summary, folder)
    frames = partial(frames_again, summary)
    makers = {
        OVERLAY: partial(_draw, summary, clip, folder, progress),
        **{
            export.file_name: partial(write_further, folder, [name], frames, review=False)
            for name, export in EXPORTS.items()
        },
        REVIEW: partial(write_further, folder, [], frames, review=True),
    }
    missing = [name for name in files if not _is_made_anew(folder / name, makers[name])]
    write_summary(replace(summary, missing=missing), folder)


def _is_made_anew(path: Path, make: Callable[[], None]) -> bool:
    """Replace a file or folder, or else remove it: what it tells is not so any more."""
    try:
        make()
    except QivisError as error:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        log.warning("%s: removed until it can be made anew: %s", path, error)
        return False
    return True
