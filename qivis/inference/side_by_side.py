"""Frames side by side on a CPU: with a thread each they are done sooner than one by one with all.

A network of many small steps leaves a second thread with little to do in each of them.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import torch

from qivis.inference.predictor import Predictor
from qivis.structures import Detections, Frame

MOST_WORKERS = 4  # each holds the features of a frame; with more processors each has more threads

Found = tuple[Frame, Detections]


def find_side_by_side(
    frames: Iterable[Frame], predictor: Predictor
) -> Generator[Found, None, None]:
    """The objects of each frame, in the order of the frames.

    What is found in a frame depends on no other, and not on how fast frames come: all are treated
    alike. Of PyTorch's threads (`torch.get_num_threads`) each worker has its share.

    Args:
        frames: as many as there are workers are taken ahead.
        predictor: on a CPU.
    """
    threads = torch.get_num_threads()
    num_workers = min(threads, MOST_WORKERS)
    pending = deque[tuple[Frame, Future[list[Detections]]]]()
    pool = ThreadPoolExecutor(num_workers, "network")
    try:
        _share_threads(pool, num_workers, threads // num_workers)
        for frame in frames:
            pending.append((frame, pool.submit(predictor, [frame.image])))
            if len(pending) > num_workers:
                yield _first(pending)
        while pending:
            yield _first(pending)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """While the block runs, the calling thread computes alone.

    For work beside the network's: a second thread would take a processor from it, most of the time
    only to wait for the next small step.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _first(pending: deque[tuple[Frame, Future[list[Detections]]]]) -> Found:
    frame, future = pending.popleft()
    (detections,) = future.result()
    return frame, detections


def _share_threads(pool: ThreadPoolExecutor, num_workers: int, threads: int) -> None:
    """Let each worker, and only these, compute with so many threads."""
    before = torch.get_num_threads()
    all_here = Barrier(num_workers)

    def take() -> None:
        all_here.wait()  # one call for each worker, not several for one
        torch.set_num_threads(threads)
        torch.get_num_threads()  # from now on the thread keeps its number

    try:
        for done in [pool.submit(take) for _ in range(num_workers)]:
            done.result()
    except BaseException:
        all_here.abort()  # where no more threads can be had, those there are would wait for ever
        raise
    torch.set_num_threads(before)  # PyTorch remembers the last one for threads to come
