"""Many clips by many workers, on one machine or a cluster: the door to Ray.

Ray hands the clips to workers one by one, and those of a worker that dies to another, which goes on
from the last finished chunk: who does a clip twice finds it done.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from qivis.errors import ConfigError, QivisError
from qivis.inference.command import check_writable, clips_of, complaint_of, load_aloud, segment

CHANCES = 3  # a clip after whose worker died so often is given up, for it may be what kills them


@dataclass(frozen=True)
class Outcome:
    """What came of a clip: lines to print, and what is wrong with it (empty if nothing)."""

    source: str
    lines: str
    complaint: str


class _Row(TypedDict):
    source: str
    name: str


def segment_many(args: argparse.Namespace, workers: int) -> Iterator[Outcome]:
    """Do the clips of a command line; each has one run folder in the end.

    Args:
        args: as `parse_with` gives them.
        workers: processes, each with a network of its own; on GPUs, each with a GPU of its own.

    Yields:
        One outcome a clip, as they are done.

    Raises:
        ConfigError: if Ray is not installed, or the clips cannot be named.
        DataError: if nothing can be written.
    """
    data = _ray_data()
    check_writable(args.out)
    clips = clips_of(args)
    with _cluster(workers) as has_gpus:
        done = set[str]()
        for row in _mapped(data, clips, args, workers, on_gpus=has_gpus and args.device != "cpu"):
            done.add(row["source"])
            yield Outcome(**row)
    for source, _ in clips:
        if source not in done:
            yield Outcome(source, "", f"{source}: its workers died, {CHANCES + 1} times in a row")


def _ray_data() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to Ray's makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray.data
    except ImportError as error:
        raise ConfigError("Ray is not installed; pip install 'qivis[ray]'") from error
    return ray.data


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[bool]:
    """Ray at work: the cluster of RAY_ADDRESS, else this machine; whether there are GPUs."""
    import ray

    cores = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers}
    ray.init(**cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        yield ray.cluster_resources().get("GPU", 0) > 0
    finally:
        ray.shutdown()


def _mapped(
    data: Any,
    clips: list[tuple[str, str]],
    args: argparse.Namespace,
    workers: int,
    *,
    on_gpus: bool,
) -> Iterator[dict[str, str]]:
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # what dies again and again does not end the others
    rows = [_Row(source=source, name=name) for source, name in clips]
    if not rows:
        return
    with warnings.catch_warnings():
        # Ray 2.60 warns of chances, which it has no other argument for; see setup.py.
        warnings.filterwarnings("ignore", ".*ray_remote_args")
        outcomes = data.from_items(rows, override_num_blocks=len(rows)).map(  # a clip at a time
            _Worker,
            fn_constructor_args=(args, str(Path.cwd())),
            compute=data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=1 if on_gpus else 0,
            max_restarts=-1,
            max_task_retries=CHANCES,
        )
    yield from outcomes.iter_rows()


class _Worker:
    """Has the network loaded once and does clip after clip."""

    def __init__(self, args: argparse.Namespace, folder: str) -> None:
        """Args: of the command line, and the folder in which it was given."""
        os.chdir(folder)
        self.args = args
        self.load = functools.cache(functools.partial(load_aloud, args))

    def __call__(self, row: _Row) -> dict[str, str]:
        lines, complaint = io.StringIO(), ""
        with contextlib.redirect_stdout(lines):
            try:
                segment(row["source"], row["name"], self.load, self.args, shared=True)
            except (QivisError, OSError) as error:
                complaint = complaint_of(row["source"], error)
        return {"source": row["source"], "lines": lines.getvalue(), "complaint": complaint}
