"""One clip of the command: its folder, its run, and what else is made of that."""

import argparse
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from qivis.command_line import say
from qivis.data.video import EndedStream, FrameSource, VideoInfo, comes_live, open_video
from qivis.errors import DataError
from qivis.files import remove_partial_files
from qivis.inference.further import needs_pictures, write_further
from qivis.inference.journal import Journal, keep_stream, kept_stream
from qivis.inference.onnx_predictor import AnyPredictor
from qivis.inference.profile import Profile
from qivis.inference.run import run_clip, wanted
from qivis.inference.run_folder import (
    UNFINISHED,
    Task,
    alone_in,
    begin_named_run,
    begin_run,
    check_no_edit_is_open,
    drop_if_nothing_was_done,
    earlier_run,
    finish,
    is_finished,
    waiting_behind,
)
from qivis.inference.runtime import gpu_of
from qivis.inference.summary import Summary, summarize, write_summary
from qivis.inference.task import plan_of, task_of
from qivis.wording import counted

log = logging.getLogger(__name__)


def segment(
    source: str,
    name: str,
    load: Callable[[], AnyPredictor],
    args: argparse.Namespace,
    *,
    shared: bool,
) -> None:
    """Do one clip; says on two lines what came of it, and where it is.

    Args:
        source, name: of the clip and of its run folder.
        load: gives the predictor; called when the source is known to be readable.
        args: of the command line.
        shared: whether other processes do other clips: then the folder has this very name, and
            what is there of the clip goes on.

    Raises:
        QivisError: if the clip or the settings cannot be used.
    """
    review = "review" in args.save
    if comes_live(source):
        _check_live(source, needs_pictures(args.export, review=review), shared=shared)
    with ExitStack() as held:
        reader = held.enter_context(_opened(source, name, load, args))
        predictor = load()
        task = task_of(source, args, predictor)
        folder = _claim(args.out / name, task, args, held, shared=shared)
        remove_partial_files(folder)
        if is_finished(folder):
            check_no_edit_is_open(folder)
            say(f"{source}: is done already")
        else:
            with _given_up_after_an_error(folder):
                say(_run(source, name, reader, predictor, folder, task, args))
        try:
            if args.export or review:
                frames = partial(wanted, reader, plan_of(args, predictor))
                write_further(folder, args.export, frames, review=review)
        finally:
            say(str(folder))


def _opened(
    source: str, name: str, load: Callable[[], AnyPredictor], args: argparse.Namespace
) -> FrameSource:
    """The source. What a stream has shown does not come again: one that was cut short has ended."""
    if args.resume and comes_live(source):
        earlier = earlier_run(args.out / name, task_of(source, args, load()))
        if earlier and (info := kept_stream(earlier / UNFINISHED)):
            return EndedStream(info)
    return open_video(source, args.decoder, args.max_pixels, args.max_frames, gpu_of(args))


def _check_live(source: str, again: Sequence[str], *, shared: bool) -> None:
    """See that nothing is asked of a live source that it cannot give; `again` needs it once more.

    Raises:
        DataError: if something is.
    """
    if again:
        raise DataError(
            f"{source}: is live, and cannot be seen once more; leave out {' and '.join(again)}"
        )
    if shared:
        raise DataError(f"{source}: is live, and not for many processes; run qivis-infer on it")


@contextmanager
def _given_up_after_an_error(folder: Path) -> Iterator[None]:
    """What is not begun in earnest is removed; where else an earlier run waits is said."""
    try:
        yield
    except BaseException:
        drop_if_nothing_was_done(folder)
        if earlier := waiting_behind(folder):
            log.warning("%s: not finished; until then the earlier run is %s", folder, earlier)
        raise


def _claim(
    path: Path, task: Task, args: argparse.Namespace, held: ExitStack, *, shared: bool
) -> Path:
    """The folder of a run, which is this process's alone as long as `held` is."""
    if shared or args.overwrite:  # what stands there may be another's at this moment
        held.enter_context(alone_in(path))
    if shared:
        return begin_named_run(path, task, overwrite=args.overwrite)
    folder = begin_run(path, task, resume=args.resume, overwrite=args.overwrite)
    if comes_live(task["source"]) and is_finished(folder):  # it will not show the same again
        folder = begin_run(path, task, resume=False, overwrite=False)
    if not args.overwrite:
        held.enter_context(alone_in(folder))
    return folder


def _run(  # noqa: PLR0913 - the command puts together what is known of a run
    source: str,
    name: str,
    reader: FrameSource,
    predictor: AnyPredictor,
    folder: Path,
    task: Task,
    args: argparse.Namespace,
) -> str:
    """Do one clip; says on a line what came of it."""
    if comes_live(source):
        keep_stream(folder / UNFINISHED, reader.info)
    total = frames_to_come(reader.info, args) or None
    done_before = Journal(folder / UNFINISHED, reader.info.size).next_index
    progress = partial(tqdm, desc=name, total=total, initial=done_before, leave=False, unit="frame")
    profile = Profile(predictor.device) if args.profile else None
    started = time.perf_counter()
    with profile.watching() if profile else nullcontext():
        clip = run_clip(source, reader, predictor, folder, plan_of(args, predictor), progress)
    seconds = time.perf_counter() - started
    if profile:
        say(profile.table(len(clip.times)))
    summary = summarize(clip, source, name, dict(task), seconds, str(predictor.device))
    pictures = reader.paths[:: args.stride][: summary.frames]
    names = [f"{path.absolute().parent.name}/{path.name}" for path in pictures]
    summary = replace(summary, pictures=names)
    write_summary(summary, folder)
    finish(folder)
    return _line(summary, summary.frames - done_before)


def frames_to_come(info: VideoInfo, args: argparse.Namespace) -> int:
    """How many frames will be looked at, as far as is known; 0 if nothing is."""
    in_time = None if args.seconds is None else math.ceil(args.seconds * info.fps)
    limits = [info.num_frames or None, args.max_frames, in_time]
    frames = min((limit for limit in limits if limit is not None), default=0)
    return int(-(-frames // args.stride))


def _line(summary: Summary, frames: int) -> str:
    """What came of a clip, on one line; so many of its frames are of this process."""
    return (
        f"{summary.source}: {counted(summary.frames, 'frame')}, "
        f"{counted(summary.tracks, 'track')}, longest {counted(summary.longest, 'frame')}, "
        f"{frames / summary.run_seconds:.1f} fps, "
        f"{counted(len(summary.lost_frames), 'frame')} lost"
    )
