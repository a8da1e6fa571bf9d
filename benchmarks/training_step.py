"""A training step, as the trainer takes it, against the same step in the reference's way.

    python benchmarks/training_step.py [--threads 2] [--runs 7]

The published R-50 (batch 2, pictures of 480 x 640) and nano (batch 8, 288 x 288) on noise with six
rectangles in every picture: forward, backward, clipping, AdamW. The reference pools level by level
with torchvision's RoIAlign, has the plain layers and PyTorch's default AdamW, as the published
code, cuts mask targets out of whole masks, and leaves the C library's settings alone. The losses
have to be the same. Two more columns, without a bar: the reference in a process that keeps
freed memory as our trainer's does, and ours in bfloat16 (`optim.precision`), whose losses may
differ. Reference and ours have a process each, as they would in a training; the columns share one.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import torch
from in_turn import parse_args, time_in_turn
from roi_align import by_level
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.config import load_config
from qivis.config.schema import ModelConfig, OptimConfig
from qivis.engine.checkpoint import Trained
from qivis.engine.optim import build_optimizer
from qivis.engine.step import Stepper
from qivis.engine.stopping import Stopping
from qivis.memory import keep_freed_memory
from qivis.models import box_stage, queryinst
from qivis.models.build import build_model
from qivis.models.linear import OneDnnLinear
from qivis.models.on_demand_learning import PyramidOnDemand
from qivis.models.optimize_training import FoldedResidual, FrozenStage, optimize_training
from qivis.models.training import ImageTraining
from qivis.models.winograd_conv import WinogradConv2d
from qivis.ops import mask_targets
from qivis.ops.mask_targets import crop_whole
from qivis.structures import Batch, Targets

BAR = 1.5
CLOSE = 1e-4  # relative, of the sum of all losses
OBJECTS = 6
STILL = 1e-9  # a learning rate at which all steps are alike
NANO = Path(__file__).resolve().parents[1] / "configs" / "image" / "nano_coco.yaml"
CASES = {
    "R-50, batch 2, 480 x 640": (ModelConfig(), 80, 2, (480, 640)),
    "nano, batch 8, 288 x 288": (load_config(NANO).model, 3, 8, (288, 288)),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 where a bar is missed or the losses differ."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    args = parse_args(parser, argv, runs=7)
    print(f"{args.threads} threads, medians of {args.runs} runs in turn\n")
    print("| network | reference | ours | ratio | losses | reference, memory kept | bfloat16 |")
    print("|---|---|---|---|---|---|---|")
    missed = False
    for name in CASES:
        with (
            process(name, args.threads, keeps=False) as reference,
            process(name, args.threads, keeps=True) as trainer,
            process(name, args.threads, keeps=True) as others,
        ):
            ways = {
                "reference": partial(reference, "reference"),
                "ours": partial(trainer, "ours"),
                "kept": partial(others, "reference"),
                "bfloat16": partial(others, "bfloat16"),
            }
            losses = {way: step() for way, step in ways.items()}
            times = {way: wall for way, (wall, _) in time_in_turn(ways, args.runs).items()}
        apart = {w: abs(loss / losses["reference"] - 1) for w, loss in losses.items()}
        missed |= times["reference"] / times["ours"] < BAR or apart["ours"] > CLOSE
        print(
            f"| {name} | {times['reference']:.0f} ms | {times['ours']:.0f} ms "
            f"| {times['reference'] / times['ours']:.2f}x | {apart['ours']:.1e} apart "
            f"| {times['kept']:.0f} ms, {times['kept'] / times['ours']:.2f}x "
            f"| {times['bfloat16']:.0f} ms, {times['reference'] / times['bfloat16']:.2f}x, "
            f"{apart['bfloat16']:.1e} apart |"
        )
    return int(missed)


@contextmanager
def process(case: str, threads: int, *, keeps: bool) -> Iterator[Callable[[str], float]]:
    """A process that takes steps; what is yielded has it take one, and gives the losses' sum.

    What the C library does with memory is set for a process, once.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=serve, args=(there, case, threads, keeps), daemon=True)
    child.start()
    there.close()

    def take(way: str) -> float:
        here.send(way)
        loss: float = here.recv()
        return loss

    try:
        yield take
    finally:
        here.close()
        child.join()


def serve(connection: Connection, case: str, threads: int, keeps: bool) -> None:
    """Take the steps that are asked for, until nobody is there any more."""
    torch.set_num_threads(threads)
    if keeps:
        keep_freed_memory()
    config, num_classes, batch_size, size = CASES[case]
    torch.manual_seed(0)
    model = build_model(config, num_classes)
    training = ImageTraining(model)
    training.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimize_training(model)
    optim = OptimConfig(lr=STILL)
    half = OptimConfig(lr=STILL, precision="bfloat16")
    fused, default = (Trained(model, None, build_optimizer(model, optim)) for _ in range(2))
    for group in default.optimizer.param_groups:
        group["fused"] = False
    cpu = torch.device("cpu")
    steppers = {
        "reference": Stepper(training, default, optim, cpu, 0),
        "ours": Stepper(training, fused, optim, cpu, 0),
        "bfloat16": Stepper(training, fused, half, cpu, 0),
    }
    data = batch(batch_size, size, num_classes)
    try:
        while True:
            way = connection.recv()
            with references_way() if way == "reference" else nullcontext():
                step = steppers[way].step(iter([data]), 0, Stopping())
            connection.send(torch.stack(list(step.losses.values())).sum().item())
    except EOFError:
        return


@contextmanager
def references_way() -> Iterator[None]:
    """While the block runs, the network computes as the published code does."""
    with ExitStack() as stack:
        convolve = nn.Conv2d._conv_forward
        stack.enter_context(patch.object(WinogradConv2d, "_conv_forward", convolve))
        stack.enter_context(patch.object(OneDnnLinear, "forward", nn.Linear.forward))
        for faster in (FrozenStage, FoldedResidual, PyramidOnDemand):
            stack.enter_context(patch.object(faster, "__call__", lambda s, x: s.plain(x)))
        stack.enter_context(patch.object(queryinst, "flatten_pyramid", lambda pyramid: pyramid))
        stack.enter_context(patch.object(mask_targets, "_crop_by_products", crop_whole))
        for module in (queryinst, box_stage):
            stack.enter_context(patch.object(module, "roi_align_pyramid", pooled))
        yield


def pooled(
    pyramid: Sequence[Tensor], boxes: Tensor, images: Tensor, side: int, sampling_ratio: int
) -> Tensor:
    """What `roi_align_pyramid` gives, of maps."""
    found = by_level(pyramid, boxes.detach().float(), images, side, sampling_ratio)
    return found.flatten(2).transpose(1, 2)


def batch(size: int, picture: tuple[int, int], num_classes: int) -> Batch:
    """Noise with rectangles."""
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (3, *picture), dtype=torch.uint8, generator=generator)
        for _ in range(size)
    ]
    targets = [rectangles(picture, num_classes, generator) for _ in range(size)]
    return Batch(
        images=tuple(images),
        targets=tuple(targets),
        ignored=tuple(torch.zeros(0, 4) for _ in range(size)),
        clip_length=1,
    )


def rectangles(size: tuple[int, int], num_classes: int, generator: torch.Generator) -> Targets:
    """Objects of a fifth to a half of the picture's sides."""
    height, width = size
    sides = torch.rand(OBJECTS, 2, generator=generator) * 0.3 + 0.2
    corners = torch.rand(OBJECTS, 2, generator=generator) * (1 - sides)
    scale = torch.tensor([width, height, width, height])
    boxes = (torch.cat([corners, corners + sides], dim=1) * scale).round()
    masks = torch.zeros(OBJECTS, height, width, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = True
    return Targets(
        size=size,
        boxes=boxes,
        labels=torch.arange(OBJECTS) % num_classes,
        masks=masks,
        ids=torch.arange(1, OBJECTS + 1),
    )


if __name__ == "__main__":
    sys.exit(main())
