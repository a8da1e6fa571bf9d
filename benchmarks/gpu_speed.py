"""The published network on a CUDA GPU: frames a second, eager and compiled.

    python benchmarks/gpu_speed.py [--runs 7] [--sizes 640x384 1344x800] [--batches 1 8]

R-50, 100 queries, optimized, from pictures in the host's memory to at most 15 masks a picture on
the GPU, all in one run. `compiled` is the network by `torch.compile(mode="reduce-overhead")`, which
needs a C++ compiler; what chooses detections and pastes masks is eager in both. Busy is the share
of the time in which the GPU computes; memory is what is taken beside the weights. These follow the
golden rule, as in `network_speed.py`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from in_turn import parse_args, time_in_turn
from network_speed import golden_network, predictor, scene
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.inference.predictor import Predictor
from qivis.models.optimize import optimize

MASKS = 15
WAYS = [(kind, name) for name in ("float32", "bfloat16") for kind in ("eager", "compiled")]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; there are no bars to miss."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["640x384", "1344x800"], metavar="WxH")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8], metavar="B")
    args = parse_args(parser, argv, runs=7)
    if not torch.cuda.is_available():
        print("no CUDA GPU here: nothing was measured")
        return 0
    name = torch.cuda.get_device_name()
    print(f"R-50, 100 queries, {MASKS} masks, {name}, medians of {args.runs} runs in turn")
    for size in args.sizes:
        width, height = map(int, size.split("x"))
        image = scene(height, width)
        for batch in args.batches:
            print(f"\n| {size}, batch {batch} | frames a second | busy | peak memory |")
            print("|---|---|---|---|")
            print_rows([image] * batch, args.runs)
    return 0


def print_rows(images: Sequence[torch.Tensor], runs: int) -> None:
    """A row of the table for each way to run the network."""
    torch.compiler.reset()  # it would give up after a few sizes
    ways = {way: partial(found, prepared(*way, images[0]), images) for way in WAYS}
    peaks = {way: peak_memory(call) for way, call in ways.items()}
    times = time_in_turn({" ".join(way): call for way, call in ways.items()}, runs)
    for way, call in ways.items():
        wall, _ = times[" ".join(way)]
        print(
            f"| {' '.join(way)} | {1000 * len(images) / wall:.1f} | {busy_share(call):.0%} "
            f"| {peaks[way] / 2**20:.0f} MiB |"
        )


def prepared(kind: str, precision: str, image: torch.Tensor) -> Predictor:
    """A predictor on the GPU."""
    device = torch.device("cuda")
    model = golden_network().to(device)
    optimize(model, getattr(torch, precision))
    if kind == "compiled":
        model.compile(mode="reduce-overhead", fullgraph=True, dynamic=False)
    return replace(predictor(model, image, MASKS), device=device)


def found(predict: Predictor, images: Sequence[torch.Tensor]) -> None:
    """Find all, and wait until the GPU is done."""
    predict(images)
    torch.cuda.synchronize()


def peak_memory(call: Callable[[], object]) -> int:
    """Bytes of tensors on the GPU beyond those before; the calls also warm up."""
    for _ in range(3):  # compiles, records, replays
        call()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    return torch.cuda.max_memory_allocated() - before


def busy_share(call: Callable[[], object]) -> float:
    """The share of the time in which kernels run or memory is copied; one stream does all."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as record:
        start = perf_counter()
        call()
        wall = perf_counter() - start
    kernels = [event for event in record.events() if event.device_type == DeviceType.CUDA]
    return sum(event.device_time_total for event in kernels) / 1e6 / wall


if __name__ == "__main__":
    sys.exit(main())
