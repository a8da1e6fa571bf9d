"""Ways to do the same, timed in one run."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch


def parse_args(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, runs: int
) -> argparse.Namespace:
    """The command line of what times ways in turn; PyTorch gets its number of threads.

    Args:
        parser: with what the benchmark takes besides.
        argv: without the program's name; None for that of the process.
        runs: by default.
    """
    add = parser.add_argument
    add("--runs", type=int, default=runs, help="times that each way is timed (%(default)s)")
    add("--threads", type=int, default=2, help="of torch (%(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    return args


def time_in_turn(
    ways: Mapping[str, Callable[[], object]], runs: int
) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each way, wall and processor; what else runs meets all of them."""
    wall: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs + 1):
        for name, way in ways.items():
            start = time.perf_counter(), time.process_time()
            way()
            stop = time.perf_counter(), time.process_time()
            if run:  # the first warms up
                wall[name].append(1000 * (stop[0] - start[0]))
                processor[name].append(1000 * (stop[1] - start[1]))
    return {n: (statistics.median(wall[n]), statistics.median(processor[n])) for n in ways}
