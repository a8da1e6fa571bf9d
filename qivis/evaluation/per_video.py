"""The same work on many videos, on all cores where there is much of it."""

import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from typing import TypeVar

from qivis.evaluation.ytvis_input import VideoEntries

Result = TypeVar("Result")

MOST_PROCESSES = 8  # one process hands out the work, and more would wait for it
ENOUGH_MASKS = 50_000  # about half a second on one core; less is not worth the start


def map_videos(
    function: Callable[[VideoEntries], Result], videos: Sequence[VideoEntries]
) -> list[Result]:
    """Apply a function to each video, in their order.

    Args:
        function: can be pickled, as its results can. It must not use torch: the processes are
            forked, which torch's threads do not survive.
        videos: only a few at a time are copied to the processes.
    """
    processes = _num_processes()
    if processes == 1 or sum(map(_num_masks, videos)) < ENOUGH_MASKS:
        return list(map(function, videos))
    context = get_context("fork")
    with _ready_to_fork(), ProcessPoolExecutor(processes, mp_context=context) as pool:
        return list(pool.map(function, videos))


@contextmanager
def _ready_to_fork() -> Iterator[None]:
    # The garbage collectors of the processes would else write to every object, and so copy it.
    gc.freeze()
    try:
        with warnings.catch_warnings():
            # Newer Pythons warn whenever a process with threads, such as torch's, is forked.
            warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
            yield
    finally:
        gc.unfreeze()


def _num_processes() -> int:
    # Elsewhere processes start from nothing, which takes longer and runs the caller's script again.
    if sys.platform != "linux" or current_process().daemon:
        return 1
    return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))


def _num_masks(entries: VideoEntries) -> int:
    return sum(
        len(result["segmentations"]) for found in entries.results.values() for result in found
    )
