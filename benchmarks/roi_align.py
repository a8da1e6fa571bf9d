"""How fast boxes are pooled from a pyramid: 100 boxes, 256 channels, an input of 640 x 384.

    python benchmarks/roi_align.py [--runs 9] [--threads 2]

The reference is torchvision's `roi_align` on each level for the boxes that belong there, as its
`MultiScaleRoIAlign` and mmdetection's extractor do. It knows no bfloat16 on a CPU: there, ours in
bfloat16 stands against the reference in float32. All ways are timed in turn, in one process, wall
and processor, which a busy machine stretches less; ratios are of medians. A run is ten calls: the
processor's clock is too coarse for one. The bar is 8 for the forward, by both clocks.

The pyramid is laid out once for all stages of a network, seven poolings in QueryInst's: a line
tells what that costs. Box sides are log-normal around 90 pixels and each level gets some.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from in_turn import parse_args, time_in_turn
from torch import Tensor
from torchvision.ops import roi_align

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.ops.roi_align import FINEST_LEVEL_SIDE, STRIDES, flatten_pyramid, roi_align_pyramid

SIZE = (384, 640)
NUMBER, CHANNELS = 100, 256
GRIDS = (7, 14)
SAMPLING_RATIO = 2
IMAGES = torch.zeros(NUMBER, dtype=torch.int64)  # all boxes lie in the one there is
CALLS = 10  # that are timed together
BAR = 8.0
TOLERANCE = 1e-4

Ways = dict[str, Callable[[], object]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 if a forward is below the bar or differs from the reference."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    args = parse_args(parser, argv, runs=9)
    pyramid, boxes = scene(torch.Generator().manual_seed(0))
    print(f"torch {torch.__version__}, {args.threads} threads, medians of {args.runs} runs")
    print(f"{'milliseconds, and times as fast:':40}     wall  ratio   processor  ratio")
    lowest, largest = float("inf"), 0.0
    for side in GRIDS:
        largest = max(largest, difference(pyramid, boxes, side))
        with torch.no_grad():
            ratios = table(f"{side} x {side} forward", forward(pyramid, boxes, side), args.runs)
        lowest = min(lowest, *ratios)
        table(f"{side} x {side} backward", backward(pyramid, boxes, side), args.runs)
    table("layout of a pyramid", layouts(pyramid), args.runs)
    print(f"at least {lowest:.1f} times as fast forward; the bar is {BAR:.0f}")
    print(f"float32 differs by at most {largest:.1e}; the bar is {TOLERANCE:.0e}")
    return int(lowest < BAR or largest > TOLERANCE)


def forward(pyramid: Sequence[Tensor], boxes: Tensor, side: int) -> Ways:
    """Pooling alone."""
    rows = flatten_pyramid(pyramid)
    half = flatten_pyramid([level.bfloat16() for level in pyramid])
    return {
        "torchvision, level by level": lambda: by_level(pyramid, boxes, IMAGES, side),
        "ours, float32": lambda: roi_align_pyramid(rows, boxes, IMAGES, side, SAMPLING_RATIO),
        "ours, bfloat16": lambda: roi_align_pyramid(half, boxes, IMAGES, side, SAMPLING_RATIO),
    }


def backward(pyramid: Sequence[Tensor], boxes: Tensor, side: int) -> Ways:
    """From the gradient of what was pooled to that of the pyramid."""
    ways: Ways = {}
    for name, dtype in (("torchvision", torch.float32), *OURS):
        levels = [level.to(dtype, copy=True).requires_grad_() for level in pyramid]
        if name == "torchvision":
            pooled = by_level(levels, boxes, IMAGES, side)
        else:
            rows = flatten_pyramid(levels)
            pooled = roi_align_pyramid(rows, boxes, IMAGES, side, SAMPLING_RATIO)
        ways[name] = gradient_of(pooled, levels)
    return ways


OURS = (("ours, float32", torch.float32), ("ours, bfloat16", torch.bfloat16))


def gradient_of(pooled: Tensor, levels: Sequence[Tensor]) -> Callable[[], object]:
    """A way to be timed; it keeps the graph."""
    weights = torch.ones_like(pooled)
    return lambda: torch.autograd.grad(pooled, levels, weights, retain_graph=True)


def layouts(pyramid: Sequence[Tensor]) -> Ways:
    """What precedes ours, once for all poolings of a forward."""
    last = [level.to(memory_format=torch.channels_last) for level in pyramid]
    return {
        "channels first": lambda: flatten_pyramid(pyramid),
        "channels last": lambda: flatten_pyramid(last),
    }


def table(title: str, ways: Ways, runs: int) -> list[float]:
    """Print how long each way takes; returns the ratios of the first to the others."""
    times = time_in_turn({name: partial(repeat, way) for name, way in ways.items()}, runs)
    times = {name: (wall / CALLS, cpu / CALLS) for name, (wall, cpu) in times.items()}
    base, ratios = next(iter(times.values())), []
    print(title)
    for name, (wall, processor) in times.items():
        figures = (wall, base[0] / wall, processor, base[1] / processor)
        print(f"  {name:38} {{:8.2f}} {{:6.1f}} {{:11.2f}} {{:6.1f}}".format(*figures))
        ratios += [figures[1], figures[3]]
    return ratios[2:]


def repeat(way: Callable[[], object]) -> None:
    """As often as is timed."""
    for _ in range(CALLS):
        way()


def difference(pyramid: Sequence[Tensor], boxes: Tensor, side: int) -> float:
    """The largest of ours in float32."""
    expected = by_level(pyramid, boxes, IMAGES, side).flatten(2).transpose(1, 2)
    found = roi_align_pyramid(flatten_pyramid(pyramid), boxes, IMAGES, side, SAMPLING_RATIO)
    return float((found - expected).abs().max())


def by_level(
    pyramid: Sequence[Tensor],
    boxes: Tensor,
    images: Tensor,
    side: int,
    sampling_ratio: int = SAMPLING_RATIO,
) -> Tensor:
    """(N, C, S, S) by torchvision, as the published code calls it."""
    sides = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
    level = (sides / FINEST_LEVEL_SIDE + 1e-6).log2().floor().clamp(0, len(STRIDES) - 1)
    pooled = boxes.new_zeros(len(boxes), pyramid[0].shape[1], side, side)
    for index, (features, stride) in enumerate(zip(pyramid, STRIDES, strict=True)):
        (chosen,) = torch.where(level == index)
        rois = torch.cat([images[chosen, None], boxes[chosen]], dim=1)
        part = roi_align(features, rois, side, 1 / stride, sampling_ratio, aligned=True)
        pooled = pooled.index_put((chosen,), part)
    return pooled


def scene(generator: torch.Generator) -> tuple[list[Tensor], Tensor]:
    """(1, C, H, W) for each stride, and (N, 4) boxes in the picture."""
    height, width = SIZE
    pyramid = [
        torch.randn(1, CHANNELS, height // stride, width // stride, generator=generator)
        for stride in STRIDES
    ]
    extents = 90 * (0.7 * torch.randn(NUMBER, 2, generator=generator)).exp()
    extents[::10] *= 3
    centres = torch.rand(NUMBER, 2, generator=generator) * torch.tensor([width, height])
    boxes = torch.cat([centres - extents / 2, centres + extents / 2], dim=1)
    return pyramid, boxes.clamp(min=0).minimum(torch.tensor([width, height, width, height]))


if __name__ == "__main__":
    sys.exit(main())
