"""The command `qivis-infer`: clips in, a folder with tracked masks for each of them out.

Only the standard library is imported before the arguments are known, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qivis.errors import ConfigError, DataError, QivisError, WeightsError
from qivis.files import make_writable

if TYPE_CHECKING:
    from qivis.data.video import FrameSource
    from qivis.inference.predictor import Predictor
    from qivis.inference.results import Results
    from qivis.structures import Categories, Frame, TrackedDetections

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
        _complain("interrupted; what was finished is kept")
        return INTERRUPTED


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of the command; exits with 2 where they make no sense."""
    parser = argparse.ArgumentParser(
        prog="qivis-infer",
        description="Find the objects of video clips and follow them: for each clip, a folder "
        "with overlay.mp4 (to look at) and tracks.json (exact masks in the YouTube-VIS results "
        "format). The path of the folder is the last line that is printed.",
        epilog="Exit codes: 0 done, 2 some input was bad (the other clips are done), 1 a bug.",
    )
    add = parser.add_argument
    add("sources", nargs="+", metavar="SOURCE", help="video file, folder of pictures, or glob")
    add(
        "--weights",
        default="default",
        metavar="NAME|PATH",
        help="`default` for the model that comes with the package, the name of published weights "
        "(downloaded on first use), or a weights file",
    )
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go; runs")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    add(
        "--score",
        type=_share,
        metavar="0..1",
        help="a track starts at a detection with at least this score; once started, it is followed "
        "and drawn through lower scores (default: what the weights recommend, 0.3 if nothing else)",
    )
    add(
        "--association",
        choices=("embedding", "query", "overlap"),
        help="what objects are recognised by from frame to frame: looks learned from videos, the "
        "network's queries, or nothing but the overlap of masks (default: what the weights "
        "recommend)",
    )
    add("--classes", nargs="+", metavar="NAME", help="follow only these, for instance person dog")
    add(
        "--decoder",
        default="auto",
        choices=("auto", "decord", "pyav"),
        help="what reads video files (default: %(default)s)",
    )
    add(
        "--batch",
        type=_positive,
        default=4,
        metavar="N",
        help="frames that the network sees at once (default: %(default)s)",
    )
    return parser.parse_args(argv)


def _segment_all(args: argparse.Namespace) -> int:
    from qivis.data.video import expand_source

    load = functools.cache(functools.partial(_load, args))  # when a source is known to be readable
    code = DONE
    for source in (path for pattern in args.sources for path in expand_source(pattern)):
        try:
            _segment(source, load, args)
        except (ConfigError, WeightsError):
            raise  # the next source would fare no better
        except (QivisError, OSError) as error:
            _complain(error)
            code = BAD_INPUT
    return code


def _segment(source: str, load: Callable[[], Predictor], args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from qivis.data.video import open_video
    from qivis.inference.results import new_run_folder, write_results
    from qivis.inference.video import segment_video

    with open_video(source, args.decoder) as reader:
        predictor = load()
        info, name = reader.info, _clip_name(source)
        stream = segment_video(reader, predictor, args.batch)
        if args.classes:
            stream = _of_classes(stream, _labels(args.classes, predictor.categories))
        started = time.perf_counter()
        with (
            new_run_folder(args.out, name) as folder,
            tqdm(stream, name, info.num_frames or None, leave=False, unit="frame") as shown,
        ):
            results = write_results(
                shown, info, predictor.categories, folder, predictor.tracking.min_frames
            )
        seconds = time.perf_counter() - started
        _say(_summary(source, results, reader, seconds))
        _say(str(folder))


def _load(args: argparse.Namespace) -> Predictor:
    """The predictor, with the asked score; says what is about to run."""
    import torch

    from qivis.inference.predictor import load_predictor

    predictor = load_predictor(args.weights, args.device, args.association)
    _labels(args.classes or (), predictor.categories)
    tracking = predictor.tracking
    if args.score is not None:
        tracking = replace(tracking, birth_score=args.score)
    gate = min(tracking.keep_score, tracking.birth_score)
    _say(
        f"qivis {_version()}, torch {torch.__version__}, device {predictor.device}, "
        f"weights {args.weights}, association by {tracking.association}"
    )
    return replace(predictor, tracking=tracking, score_threshold=gate)


def _labels(names: Iterable[str], categories: Categories) -> list[int]:
    known = categories.names
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"--classes: these weights know no {name!r}; {hint}known: {', '.join(known)}"
            )
    return [known.index(name) for name in names]


def _of_classes(
    stream: Iterable[tuple[Frame, TrackedDetections]], labels: Sequence[int]
) -> Iterator[tuple[Frame, TrackedDetections]]:
    """Only the tracks of some classes: chosen after tracking, which settles the labels."""
    import torch

    wanted = torch.tensor(labels)
    for frame, tracked in stream:
        yield frame, tracked[torch.isin(tracked.labels, wanted)]


def _clip_name(source: str) -> str:
    """What the run folder is called: the file or folder, or the folder that a glob looks into."""
    path = Path(source)
    if not path.exists():
        fixed = itertools.takewhile(lambda part: not re.search(r"[*?\[]", part), path.parts)
        path = Path(*fixed)
    path = path.resolve()
    return (path.name if path.is_dir() else path.stem) or "clip"


def _summary(source: str, results: Results, reader: FrameSource, seconds: float) -> str:
    return (
        f"{source}: {results.num_frames} frames, {len(results.tracks)} tracks, "
        f"longest {results.longest} frames, {results.num_frames / seconds:.1f} fps, "
        f"{reader.frames_lost} frames lost"
    )


def _check_writable(folder: Path) -> None:
    try:
        make_writable(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot write there ({error.strerror}); choose another folder with --out"
        ) from error


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("qivis")
    except PackageNotFoundError:
        return "(not installed)"


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text}")
    return value


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(reason: object) -> None:
    sys.stderr.write(f"qivis-infer: {reason}\n")
