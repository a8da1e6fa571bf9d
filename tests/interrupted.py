"""Processes that are interrupted, as by Ctrl-C, while they write a run."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def interruptible() -> Iterator[None]:
    """Processes that are started in the block heed SIGINT, also if this one is told to ignore it.

    Shells tell it to what they run in the background.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for_chunk(run: Path, seconds: float = 60) -> None:
    """Wait until the first chunk of a run is done."""
    path, until = run / ".unfinished" / "000000.jsonl", time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.05)
