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
import signal
import socket
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from qivis.errors import ConfigError, QivisError, WeightsError
from qivis.inference.command import check_writable, clips_of, complaint_of, load_aloud
from qivis.inference.one_clip import segment

CHANCES = 3  # a clip after whose worker died so often is given up, for it may be what kills them

PATIENCE = 10.0  # seconds in which a cluster answers


@dataclass(frozen=True)
class Outcome:
    """What came of a clip.

    lines: to print. warnings: lines of what is worth knowing. complaint: what is wrong; empty if
    nothing. All are lost with it if the same is wrong for every clip: it is then `fatal`.
    """

    source: str
    lines: str = ""
    warnings: str = ""
    complaint: str = ""
    fatal: bool = False


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
        ConfigError: if Ray is not installed or not to be reached, the clips cannot be named, or a
            setting or the weights cannot be used for any clip.
        DataError: if nothing can be written.
    """
    data = _ray_data()
    check_writable(args.out)
    clips = clips_of(args)
    with _cluster(workers) as has_gpus:
        done = set[str]()
        for row in _mapped(data, clips, args, workers, on_gpus=has_gpus and args.device != "cpu"):
            outcome = Outcome(**row)
            if outcome.fatal:
                raise ConfigError(outcome.complaint)
            done.add(outcome.source)
            yield outcome
    for source, _ in clips:
        if source not in done:
            complaint = f"{source}: its workers died, {CHANCES + 1} times in a row"
            yield Outcome(source, complaint=complaint)


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

    address = os.environ.get("RAY_ADDRESS", "")
    cores = {} if address else {"num_cpus": workers}
    try:
        _see_that_somebody_listens(address)
        ray.init(**cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError) as error:
        if not address:
            raise
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"RAY_ADDRESS: the cluster of {address!r} cannot be reached ({reason}); begin one with "
            "ray start --head, give this machine its token if it asks for one, or unset "
            "RAY_ADDRESS to work on this machine alone"
        ) from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    # Ray's own way to end at SIGTERM, which schedulers send, is to abort with a trace of its C++.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield ray.cluster_resources().get("GPU", 0) > 0
    finally:
        signal.signal(signal.SIGTERM, before)
        ray.shutdown()


def _see_that_somebody_listens(address: str) -> None:
    """Ray itself goes on asking for more than ten minutes.

    Raises:
        OSError: if nobody does.
        ValueError: if the port is no number.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host:
        with socket.create_connection((host, int(port)), timeout=PATIENCE):
            pass


def _mapped(
    data: Any,
    clips: list[tuple[str, str]],
    args: argparse.Namespace,
    workers: int,
    *,
    on_gpus: bool,
) -> Iterator[dict[str, Any]]:
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
            compute=data.ActorPoolStrategy(
                size=min(workers, len(rows)),
                max_tasks_in_flight_per_actor=1,  # no clip waits behind another
            ),
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

    def __call__(self, row: _Row) -> dict[str, str | bool]:
        source, lines, warned = row["source"], io.StringIO(), io.StringIO()
        complaint, fatal = "", False
        with (
            contextlib.redirect_stdout(lines),
            contextlib.redirect_stderr(warned),
            _logged_to(warned),
        ):
            try:
                segment(source, row["name"], self.load, self.args, shared=True)
            except (QivisError, OSError) as error:
                complaint = complaint_of(source, error)
                fatal = isinstance(error, ConfigError | WeightsError)
            except Exception as error:  # Ray would take it for the death of a worker
                complaint = f"{source}: {type(error).__name__}: {error}; this is a bug"
        outcome = Outcome(source, lines.getvalue(), _without_bars(warned), complaint, fatal)
        return asdict(outcome)


@contextlib.contextmanager
def _logged_to(stream: io.StringIO) -> Iterator[None]:
    """Warnings of the project, whatever else becomes of them in a worker of Ray."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    logging.getLogger("qivis").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("qivis").removeHandler(handler)


def _without_bars(written: io.StringIO) -> str:
    """What was written but for progress bars, which overwrite themselves."""
    lines = [line.rpartition("\r")[2].strip() for line in written.getvalue().split("\n")]
    return "".join(f"{line}\n" for line in lines if line)
