"""The command `qivis-infer`: clips in, a folder with tracked masks for each of them out.

Only the standard library is imported before the arguments are known, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qivis.command_line import INTERRUPTED, bear_any_name, say
from qivis.errors import ConfigError, DataError, QivisError, WeightsError
from qivis.files import make_writable
from qivis.inference.arguments import parse_args
from qivis.inference.names import named_clips
from qivis.shards import own_shard

if TYPE_CHECKING:
    from qivis.inference.onnx_predictor import AnyPredictor

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
    if chosen:
        from qivis.inference.one_clip import segment
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
