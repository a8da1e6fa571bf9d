"""Ways to do the same, timed in one run."""

import statistics
import time
from collections.abc import Callable, Mapping


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
