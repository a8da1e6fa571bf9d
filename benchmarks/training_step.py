"""A training step, forward and backward, against the same step with torchvision's RoIAlign.

    python benchmarks/training_step.py [--threads 2] [--runs 7]

The published R-50 (batch 2, pictures of 480 x 640) and nano (batch 8, 288 x 288) on noise with six
rectangles in every picture. The reference pools level by level, as the published code does; both
cut mask targets out of full-size masks. The losses have to be the same.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from in_turn import parse_args, time_in_turn
from roi_align import by_level
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.config import load_config
from qivis.config.schema import ModelConfig
from qivis.models import box_stage, queryinst
from qivis.models.build import build_model
from qivis.models.training import ImageTraining
from qivis.structures import Batch, Targets

BAR = 1.5
CLOSE = 1e-4  # relative, of the sum of all losses
OBJECTS = 6
NANO = Path(__file__).resolve().parents[1] / "configs" / "image" / "nano_coco.yaml"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 where a bar is missed or the losses differ."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    args = parse_args(parser, argv, runs=7)
    print(f"{args.threads} threads, medians of {args.runs} runs in turn\n")
    print("| network | reference | ours | ratio | losses |\n|---|---|---|---|---|")
    cases = {
        "R-50, batch 2, 480 x 640": (ModelConfig(), 80, 2, (480, 640)),
        "nano, batch 8, 288 x 288": (load_config(NANO).model, 3, 8, (288, 288)),
    }
    missed = False
    for name, (config, num_classes, batch_size, size) in cases.items():
        torch.manual_seed(0)
        training = ImageTraining(build_model(config, num_classes).train())
        training.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        data = batch(batch_size, size, num_classes)
        step = partial(one_step, training, data)
        ours = step()
        with torchvision_pooling():
            theirs = step()
        ways = {"ours": step, "reference": torchvision_pooling()(step)}
        times = time_in_turn(ways, args.runs)
        ratio = times["reference"][0] / times["ours"][0]
        difference = abs(ours - theirs) / theirs
        missed |= ratio < BAR or difference > CLOSE
        print(
            f"| {name} | {times['reference'][0]:.0f} ms | {times['ours'][0]:.0f} ms | "
            f"{ratio:.2f}x | {difference:.1e} apart |"
        )
    return int(missed)


def one_step(training: ImageTraining, data: Batch) -> float:
    """The sum of the losses; gradients are made, too."""
    training.zero_grad()
    total = torch.stack(list(training(data).values())).sum()
    total.backward()
    return total.item()


@contextmanager
def torchvision_pooling() -> Iterator[None]:
    """While the block runs, the network pools as the published code does."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(queryinst, "flatten_pyramid", lambda pyramid: pyramid))
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
