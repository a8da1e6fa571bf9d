"""How fast masks of 28 x 28 cells become run lengths of a 720p frame: 15 objects.

    python benchmarks/paste_rle.py [--runs 15] [--threads 2]

The reference is the common way: `grid_sample` of each mask over the full frame, the threshold, and
pycocotools' encoder, which wants columns (mmdetection FCNMaskHead with `skip_empty=False`, as on a
GPU; `encode_mask_results`). The bar is a 20th of its time, on the wall and on the processor, which
a busy machine stretches less. For comparison: the same sampled near
the boxes only, which is what mmdetection does on a CPU, and ours by way of dense masks, which is
what frames take whose masks are drawn or compared. All ways are timed in turn, in one process.

The boxes are of 15 sizes from 40 to 640 pixels, log-uniform, and aspects from 1:2 to 2:1; some
reach over the rim of the frame. The masks are smooth blobs that fill most of a box.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from in_turn import parse_args, time_in_turn
from pycocotools import mask as coco_mask
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.ops import rle
from qivis.ops.masks import paste_crops, paste_masks

SIZE = (720, 1280)
NUMBER = 15
SIDE = 28
SIDES = (40, 640)  # pixels
BAR = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 if the reference takes less than 20 times as long as ours."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    args = parse_args(parser, argv, runs=15)
    probabilities, boxes = scene(torch.Generator().manual_seed(0))
    masks = paste_masks(probabilities, boxes, SIZE)
    ways: dict[str, Callable[[], object]] = {
        "reference: full frame": lambda: by_reference(probabilities, boxes),
        "reference: near the boxes": lambda: by_reference_near_boxes(probabilities, boxes),
        "ours": lambda: rle.encode_crops(paste_crops(probabilities, boxes, SIZE), SIZE),
        "ours, through dense masks": lambda: rle.encode(paste_masks(probabilities, boxes, SIZE)),
        "dense masks to run lengths: pycocotools": lambda: in_columns(masks),
        "dense masks to run lengths: ours": lambda: rle.encode(masks),
    }
    if in_columns(masks) != ways["ours"]():
        raise RuntimeError("the run lengths are not those of paste_masks")
    times = time_in_turn(ways, args.runs)
    print(
        f"torch {torch.__version__}, {args.threads} threads, {NUMBER} masks of "
        f"{int(masks.sum()) / NUMBER:.0f} pixels, {SIZE[0]}p, medians of {args.runs} runs"
    )
    print(f"{'milliseconds, and times as fast:':40}     wall  ratio   processor  ratio")
    base = times["reference: full frame"]
    for name, (wall, processor) in times.items():
        figures = (wall, base[0] / wall, processor, base[1] / processor)
        print(f"{name:40} {{:8.2f}} {{:6.1f}} {{:11.2f}} {{:6.1f}}".format(*figures))
    ratio = min(before / now for before, now in zip(base, times["ours"], strict=True))
    print(f"{ratio:.1f} times as fast as the reference; the bar is {BAR:.0f}")
    return int(ratio < BAR)


def by_reference(probabilities: Tensor, boxes: Tensor) -> list[rle.Rle]:
    """Every pixel of the frame is sampled, for all masks together."""
    return in_columns(sample(probabilities, boxes, (0, 0), SIZE) >= 0.5)


def by_reference_near_boxes(probabilities: Tensor, boxes: Tensor) -> list[rle.Rle]:
    """One mask after the other, a pixel around its box."""
    masks = torch.zeros(len(boxes), *SIZE, dtype=torch.bool)
    height, width = SIZE
    for mask, grid, box in zip(masks, probabilities, boxes, strict=True):
        left, top = (box[:2].floor() - 1).clamp(min=0).int().tolist()
        right = min(int(box[2].ceil()) + 1, width)
        bottom = min(int(box[3].ceil()) + 1, height)
        pasted = sample(grid[None], box[None], (top, left), (bottom, right))
        mask[top:bottom, left:right] = pasted[0] >= 0.5
    return in_columns(masks)


def sample(
    probabilities: Tensor, boxes: Tensor, start: tuple[int, int], stop: tuple[int, int]
) -> Tensor:
    """(N, h, w) probabilities of the pixels from `start` to `stop`, both (row, column)."""
    x1, y1, x2, y2 = boxes[:, :, None].unbind(1)
    x = (torch.arange(start[1], stop[1]) + 0.5 - x1) / (x2 - x1) * 2 - 1
    y = (torch.arange(start[0], stop[0]) + 0.5 - y1) / (y2 - y1) * 2 - 1
    shape = (len(boxes), y.shape[1], x.shape[1])
    grid = torch.stack([x[:, None].expand(shape), y[:, :, None].expand(shape)], dim=-1)
    return F.grid_sample(probabilities[:, None], grid, align_corners=False)[:, 0]


def in_columns(masks: Tensor) -> list[rle.Rle]:
    """Run lengths of (N, H, W) masks by pycocotools."""
    encoded = [
        coco_mask.encode(np.array(mask[:, :, None], order="F", dtype=np.uint8))[0]
        for mask in masks.numpy()
    ]
    return [{**one, "counts": one["counts"].decode("ascii")} for one in encoded]


def scene(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(N, M, M) probabilities and (N, 4) boxes."""
    smallest, largest = SIDES
    sides = smallest * (largest / smallest) ** torch.linspace(0, 1, NUMBER)
    aspects = (torch.rand(NUMBER, generator=generator) * 2 - 1).exp2().sqrt()
    extents = torch.stack([sides * aspects, sides / aspects], dim=1)
    centres = torch.rand(NUMBER, 2, generator=generator) * torch.tensor(SIZE[::-1])
    boxes = torch.cat([centres - extents / 2, centres + extents / 2], dim=1)
    coarse = torch.randn(NUMBER, 1, 6, 6, generator=generator)
    noise = F.interpolate(coarse, (SIDE, SIDE), mode="bicubic")[:, 0]
    place = torch.linspace(-1, 1, SIDE)
    blobs = 4 * (1.1 - place**2 - place[:, None] ** 2) + noise
    return blobs.sigmoid(), boxes


if __name__ == "__main__":
    sys.exit(main())
