"""The command `qivis-infer`: clips in, a folder with tracked masks for each of them out.

Only the standard library is imported before the arguments are known, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qivis.command_line import INTERRUPTED, bear_any_name, say
from qivis.counted import counted
from qivis.errors import ConfigError, DataError, QivisError, WeightsError
from qivis.files import exists, make_writable, remove_partial_files
from qivis.inference.arguments import parse_args
from qivis.inference.names import named_clips
from qivis.shards import own_shard

if TYPE_CHECKING:
    from qivis.data.video import FrameSource, VideoInfo
    from qivis.inference.onnx_predictor import AnyPredictor
    from qivis.inference.run_folder import Task
    from qivis.inference.summary import Summary

DONE, BAD_INPUT = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments; those of the process by default.

    Returns:
        0 when all is done; 2 when some input was bad, which costs one line on stderr and leaves
        the other sources alone; 130 when interrupted.
    """
    args = parse_args(argv)
    bear_any_name()
    try:
        check_writable(args.out)
        return _segment_all(args)
    except QivisError as error:
        _complain(error)
        return BAD_INPUT
    except KeyboardInterrupt:
        _complain("interrupted; what was finished is kept, and --resume goes on from there")
        return INTERRUPTED


def _segment_all(args: argparse.Namespace) -> int:
    load = functools.cache(functools.partial(load_aloud, args))  # when a source can be read
    clips, shard = clips_of(args), own_shard(args.shard)
    chosen = clips if shard is None else shard.of(clips)
    if shard is not None:
        say(f"shard {shard}: {len(chosen)} of {len(clips)} clips")
    code = DONE
    for source, name in chosen:
        try:
            segment(source, name, load, args, shared=shard is not None)
        except (ConfigError, WeightsError):
            raise  # the next source would fare no better
        except (QivisError, OSError) as error:
            _complain(complaint_of(source, error))
            code = BAD_INPUT
    return code


def complaint_of(source: str, error: QivisError | OSError) -> str:
    """What is wrong, on a line that names the source; errors of the project do so themselves."""
    return str(error) if isinstance(error, QivisError) else f"{source}: {error}"


def clips_of(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The sources of a command line, each with the name of its run folder.

    Raises:
        ConfigError: if several clips are to have one name.
    """
    from qivis.data.video import expand_source

    sources = [source for pattern in args.sources for source in expand_source(pattern)]
    if args.name and len(sources) > 1:
        raise ConfigError(
            f"--name: {args.name!r} is one name for {len(sources)} clips; leave it out"
        )
    return [(sources[0], args.name)] if args.name else named_clips(sources)


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
    from qivis.data.video import is_live, open_video
    from qivis.inference.further import needs_pictures, write_further
    from qivis.inference.run import wanted
    from qivis.inference.run_folder import (
        check_no_edit_is_open,
        drop_if_nothing_was_done,
        is_finished,
        waiting_behind,
    )
    from qivis.inference.runtime import gpu_of
    from qivis.inference.task import plan_of, task_of

    review = "review" in args.save
    again = needs_pictures(args.export, review=review)
    live = is_live(source) and not exists(source)
    if again and live:
        raise DataError(
            f"{source}: is live, and cannot be seen once more; leave out {' and '.join(again)}"
        )
    if shared and live:
        raise DataError(f"{source}: is live, and not for many processes; run qivis-infer on it")
    with ExitStack() as held:
        reader = held.enter_context(
            open_video(source, args.decoder, args.max_pixels, args.max_frames, gpu_of(args))
        )
        predictor = load()
        task = task_of(source, args, predictor)
        folder = _claim(args.out / name, task, args, held, shared=shared)
        remove_partial_files(folder)
        if is_finished(folder):
            check_no_edit_is_open(folder)
            say(f"{source}: is done already")
        else:
            try:
                say(_run(source, name, reader, predictor, folder, task, args))
            except BaseException:
                drop_if_nothing_was_done(folder)
                if earlier := waiting_behind(folder):
                    _complain(f"{folder}: is not finished; until then the earlier run is {earlier}")
                raise
        try:
            if args.export or review:
                frames = functools.partial(wanted, reader, plan_of(args, predictor))
                write_further(folder, args.export, frames, review=review)
        finally:
            say(str(folder))


def _claim(
    path: Path, task: Task, args: argparse.Namespace, held: ExitStack, *, shared: bool
) -> Path:
    """The folder of a run, which is this process's alone as long as `held` is."""
    from qivis.data.video import is_live
    from qivis.inference.run_folder import alone_in, begin_named_run, begin_run, is_finished

    if shared or args.overwrite:  # what stands there may be another's at this moment
        held.enter_context(alone_in(path))
    if shared:
        return begin_named_run(path, task, overwrite=args.overwrite)
    folder = begin_run(path, task, resume=args.resume, overwrite=args.overwrite)
    if is_live(task["source"]) and is_finished(folder):  # it will not show the same again
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
    from tqdm import tqdm

    from qivis.inference.journal import Journal
    from qivis.inference.profile import Profile
    from qivis.inference.run import run_clip
    from qivis.inference.run_folder import UNFINISHED, finish
    from qivis.inference.summary import summarize, write_summary
    from qivis.inference.task import plan_of

    total = frames_to_come(reader.info, args) or None
    done_before = Journal(folder / UNFINISHED, reader.info.size).next_index
    progress = functools.partial(
        tqdm, desc=name, total=total, initial=done_before, leave=False, unit="frame"
    )
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


def load_aloud(args: argparse.Namespace) -> AnyPredictor:
    """The predictor; says what is about to run."""
    import torch

    from qivis.inference.summary import software_versions
    from qivis.inference.task import load_as_asked

    predictor = load_as_asked(args)
    say(
        f"qivis {software_versions()['qivis']}, torch {torch.__version__}, device "
        f"{predictor.device}, weights {args.weights}, association by "
        f"{predictor.tracking.association}"
    )
    return predictor


def _line(summary: Summary, frames: int) -> str:
    """What came of a clip, on one line; so many of its frames are of this process."""
    return (
        f"{summary.source}: {counted(summary.frames, 'frame')}, "
        f"{counted(summary.tracks, 'track')}, longest {counted(summary.longest, 'frame')}, "
        f"{frames / summary.run_seconds:.1f} fps, "
        f"{counted(len(summary.lost_frames), 'frame')} lost"
    )


def check_writable(folder: Path) -> None:
    """See that run folders can be made there.

    Raises:
        DataError: if not.
    """
    try:
        make_writable(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot write there ({error.strerror}); choose another folder with --out"
        ) from error


def _complain(reason: object) -> None:
    sys.stderr.write(f"qivis-infer: {reason}\n")
