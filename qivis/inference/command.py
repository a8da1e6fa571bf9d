"""The command `qivis-infer`: clips in, a folder with tracked masks for each of them out.

Only the standard library is imported before the arguments are known, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from qivis.errors import ConfigError, DataError, QivisError, WeightsError
from qivis.files import make_writable
from qivis.inference.arguments import parse_args

if TYPE_CHECKING:
    from qivis.data.video import FrameSource
    from qivis.inference.onnx_predictor import AnyPredictor
    from qivis.inference.run_folder import Task
    from qivis.inference.summary import Summary

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments; those of the process by default.

    Returns:
        0 when all is done; 2 when some input was bad, which costs one line on stderr and leaves
        the other sources alone; 130 when interrupted.
    """
    args = parse_args(argv)
    try:
        _check_writable(args.out)
        return _segment_all(args)
    except QivisError as error:
        _complain(error)
        return BAD_INPUT
    except KeyboardInterrupt:
        _complain("interrupted; what was finished is kept, and --resume goes on from there")
        return INTERRUPTED


def _segment_all(args: argparse.Namespace) -> int:
    from qivis.data.video import expand_source

    load = functools.cache(functools.partial(_load, args))  # when a source is known to be readable
    sources = [source for pattern in args.sources for source in expand_source(pattern)]
    if args.name and len(sources) > 1:
        raise ConfigError(
            f"--name: {args.name!r} is one name for {len(sources)} clips; leave it out"
        )
    code = DONE
    for source in sources:
        try:
            _segment(source, load, args)
        except (ConfigError, WeightsError):
            raise  # the next source would fare no better
        except (QivisError, OSError) as error:
            _complain(error)
            code = BAD_INPUT
    return code


def _segment(source: str, load: Callable[[], AnyPredictor], args: argparse.Namespace) -> None:
    from qivis.data.video import open_video
    from qivis.inference.further import write_further
    from qivis.inference.run import wanted
    from qivis.inference.run_folder import begin_run, drop_if_nothing_was_done, is_finished
    from qivis.inference.task import plan_of, task_of

    with open_video(source, args.decoder, args.max_pixels, args.max_frames) as reader:
        predictor = load()
        name, task = args.name or _clip_name(source), task_of(source, args, predictor)
        folder = begin_run(args.out / name, task, resume=args.resume, overwrite=args.overwrite)
        if is_finished(folder):
            _say(f"{source}: is done already")
        else:
            try:
                _say(_run(source, name, reader, predictor, folder, task, args))
            except BaseException:
                drop_if_nothing_was_done(folder)
                raise
        if args.export or "review" in args.save:
            frames = functools.partial(wanted, reader, plan_of(args, predictor))
            write_further(folder, args.export, frames, review="review" in args.save)
        _say(str(folder))


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

    from qivis.inference.profile import Profile
    from qivis.inference.run import run_clip
    from qivis.inference.run_folder import finish
    from qivis.inference.summary import summarize, write_summary
    from qivis.inference.task import plan_of

    total = -(-reader.info.num_frames // args.stride) or None
    progress = functools.partial(tqdm, desc=name, total=total, leave=False, unit="frame")
    profile = Profile() if args.profile else None
    started = time.perf_counter()
    with profile.watching() if profile else nullcontext():
        clip = run_clip(source, reader, predictor, folder, plan_of(args, predictor), progress)
    seconds = time.perf_counter() - started
    if profile:
        _say(profile.table(len(clip.times)))
    summary = summarize(clip, source, name, dict(task), seconds, str(predictor.device))
    write_summary(summary, folder)
    finish(folder)
    return _line(summary)


def _load(args: argparse.Namespace) -> AnyPredictor:
    """The predictor; says what is about to run."""
    import torch

    from qivis.inference.summary import software_versions
    from qivis.inference.task import load_as_asked

    predictor = load_as_asked(args)
    _say(
        f"qivis {software_versions()['qivis']}, torch {torch.__version__}, device "
        f"{predictor.device}, weights {args.weights}, association by "
        f"{predictor.tracking.association}"
    )
    return predictor


def _clip_name(source: str) -> str:
    """What the run folder is called: the file or folder, or the folder that a glob looks into."""
    path = Path(source)
    if "://" in source:
        return re.sub(r"\W+", "-", source.split("://", 1)[1]).strip("-") or "stream"
    if not path.exists():
        fixed = itertools.takewhile(lambda part: not re.search(r"[*?\[]", part), path.parts)
        path = Path(*fixed)
    path = path.resolve()
    return (path.name if path.is_dir() else path.stem) or "clip"


def _line(summary: Summary) -> str:
    """What came of a clip, on one line."""
    return (
        f"{summary.source}: {summary.frames} frames, {summary.tracks} tracks, "
        f"longest {summary.longest} frames, {summary.frames / summary.run_seconds:.1f} fps, "
        f"{len(summary.lost_frames)} frames lost"
    )


def _check_writable(folder: Path) -> None:
    try:
        make_writable(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot write there ({error.strerror}); choose another folder with --out"
        ) from error


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(reason: object) -> None:
    sys.stderr.write(f"qivis-infer: {reason}\n")
