"""The optimized network against the plain one: R-50, 100 queries, a picture to its masks.

    python benchmarks/network_speed.py [--threads 2] [--runs 7] [--sizes 640x384 1344x800]

The plain path draws the masks of the 100 best detections, as the published code does; the optimized
one those of the 15 best. Nobody has trained these weights: they follow the golden rule, by which
the network is tested against the published code. Where float32 is measured, what is found is
compared, too: boxes, labels, and the overlap of masks.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from in_turn import parse_args, time_in_turn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.config.schema import InputConfig, ModelConfig, TrackingConfig
from qivis.inference.predictor import Predictor
from qivis.models.build import build_model
from qivis.models.optimize import optimize
from qivis.models.queryinst import QueryInst
from qivis.models.weights import load_published
from qivis.structures import Categories, Category, Detections
from tests.golden import rule
from tests.golden.small import published_shapes

MASKS = {"plain": 100, "float32": 15, "bfloat16": 15}
BARS = {
    ("640x384", "float32"): 2.5,
    ("640x384", "bfloat16"): 5.0,
    ("1344x800", "bfloat16"): 3.0,
}
MOST_PIXELS, LEAST_IOU = 0.05, 0.999  # between float32 and the plain path


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["640x384", "1344x800"], metavar="WxH")
    args = parse_args(parser, argv, runs=7)
    models = {name: golden_network() for name in MASKS}
    for name in ("float32", "bfloat16"):
        optimize(models[name], getattr(torch, name))
    print(f"R-50, 100 queries, {args.threads} threads, medians of {args.runs} runs in turn")
    missed = 0
    for size in args.sizes:
        width, height = map(int, size.split("x"))
        image = scene(height, width)
        predictors = {name: predictor(models[name], image, MASKS[name]) for name in MASKS}
        times = time_in_turn(
            {name: partial(predictors[name], [image]) for name in MASKS}, args.runs
        )
        print(f"\n| {size} | masks | ms a frame | processor ms | ratio | bar |")
        print("|---|---|---|---|---|---|")
        for name, (wall, processor) in times.items():
            ratio, bar = times["plain"][0] / wall, BARS.get((size, name))
            missed += bar is not None and ratio < bar
            print(
                f"| {name} | {MASKS[name]} | {wall:.0f} | {processor:.0f} | {ratio:.2f}x "
                f"| {'' if bar is None else f'{bar}x'} |"
            )
        found = {name: predictors[name]([image])[0] for name in ("plain", "float32")}
        missed += not is_same(found["float32"], found["plain"][:15])
    return int(missed > 0)


def golden_network() -> QueryInst:
    """The published network with the golden rule's weights."""
    model = build_model(ModelConfig(), num_classes=80)
    weights = {
        name: torch.from_numpy(np.array(rule.weight(name, shape, seed=0)))
        for name, shape in published_shapes().items()
    }
    load_published(model, weights)
    model.drop_training_heads()
    return model.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def scene(height: int, width: int) -> torch.Tensor:
    """(3, H, W) uint8."""
    picture, *_ = rule.scene(height, width, seed=0, num_objects=6)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def predictor(model: QueryInst, image: torch.Tensor, max_detections: int) -> Predictor:
    """Sees pictures as large as they are."""
    height, width = image.shape[1:]
    return Predictor(
        model=model,
        input=InputConfig(short_side=height, long_side=width),
        categories=Categories(tuple(Category(i + 1, str(i)) for i in range(80))),
        tracking=TrackingConfig(association="query"),
        device=torch.device("cpu"),
        score_threshold=0.0,
        max_detections=max_detections,
    )


def is_same(ours: Detections, theirs: Detections) -> bool:
    """Print how far two sets of detections are apart, and say whether they count as the same."""
    pixels = float((ours.boxes - theirs.boxes).abs().max())
    labels = int((ours.labels != theirs.labels).sum())
    common = (ours.masks & theirs.masks).sum((1, 2)) / (ours.masks | theirs.masks).sum((1, 2))
    least = min(common.nan_to_num(1.0).tolist())  # both masks may be empty
    print(
        f"float32 against plain, 15 best: boxes within {pixels:.4f} px, {labels} other labels, "
        f"mask IoU at least {least:.5f}, median {statistics.median(common.tolist()):.5f}"
    )
    return pixels <= MOST_PIXELS and not labels and least >= LEAST_IOU


if __name__ == "__main__":
    sys.exit(main())
