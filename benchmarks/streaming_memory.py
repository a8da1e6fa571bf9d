"""How much memory a long clip takes: the whole pipeline but the network, which is only slow.

    python benchmarks/streaming_memory.py [--frames 10000] [--pause 0.01]

A clip of 720p is made, then gone through with each decoder in a process of its own: decoding,
tracking, run lengths, drawing, H.264, the journal and the results. In place of the network stands
something that finds five moving objects in every frame and takes its time, as a network would:
it is the slow consumer that makes decoders pile up frames. Resident memory after frame 200 and the
highest one after that are printed; the bar is a growth of 200 MB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.config import TrackingConfig
from qivis.data.video import open_video
from qivis.inference.run import Named, Plan, run_clip
from qivis.inference.run_folder import begin_run
from qivis.structures import Categories, Category, Detections
from qivis.viz import VideoWriter

SIZE = (720, 1280)
SETTLED = 200  # frames after which nothing should grow
MOST_GROWTH = 200.0  # MB
OBJECTS = 5


@dataclass
class SlowFinder:
    """Takes `pause` seconds a frame and finds squares that move; has what a predictor has."""

    pause: float
    tracking: TrackingConfig
    categories: Categories
    seen: int = 0

    def __call__(self, images: Sequence[Tensor]) -> list[Detections]:
        """Find as many objects in every frame."""
        time.sleep(self.pause * len(images))
        return [self._next() for _ in images]

    def _next(self) -> Detections:
        self.seen += 1
        masks = torch.zeros(OBJECTS, *SIZE, dtype=torch.bool)
        left = [(self.seen * (row + 1)) % 1000 for row in range(OBJECTS)]
        for row, x in enumerate(left):
            masks[row, 100 * row + 50 : 100 * row + 130, x : x + 200] = True
        boxes = [[x, 100 * row + 50, x + 200, 100 * row + 130] for row, x in enumerate(left)]
        return Detections(
            size=SIZE,
            boxes=torch.tensor(boxes, dtype=torch.float32),
            labels=torch.zeros(OBJECTS, dtype=torch.int64),
            scores=torch.full((OBJECTS,), 0.9),
            masks=masks,
            embeddings=torch.eye(OBJECTS),
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 where memory grew too much."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--pause", type=float, default=0.01, help="seconds a frame")
    parser.add_argument("--measure", nargs=2, metavar=("CLIP", "DECODER"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        print(json.dumps(measure(Path(args.measure[0]), args.measure[1], args.pause)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "long.mp4"
        make_clip(clip, args.frames)
        print(f"{args.frames} frames of 1280 x 720, {args.pause * 1000:.0f} ms a frame\n")
        print("| decoder | after frame 200 | highest after it | growth | frames a second |")
        print("|---|---|---|---|---|")
        worst = 0.0
        for decoder in ("decord", "pyav"):
            command = [sys.executable, __file__, "--measure", str(clip), decoder]
            command += ["--pause", str(args.pause)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            settled, highest, rate = json.loads(output.splitlines()[-1])
            growth = highest - settled
            worst = max(worst, growth)
            sizes = f"{settled:.0f} MB | {highest:.0f} MB | {growth:.0f} MB"
            print(f"| {decoder} | {sizes} | {rate:.0f} |")
    return int(worst > MOST_GROWTH)


def make_clip(path: Path, num_frames: int) -> None:
    """A texture that scrolls, with the key frames of x264's defaults."""
    texture = np.random.default_rng(0).integers(0, 256, (90, 320, 3), dtype=np.uint8)
    wide = texture.repeat(8, axis=0).repeat(8, axis=1)
    with VideoWriter(path, SIZE, Fraction(30)) as writer:
        for index in range(num_frames):
            start = 4 * index % 1280
            writer.write(wide[:, start : start + 1280], index / 30)


def measure(clip: Path, decoder: str, pause: float) -> tuple[float, float, float]:
    """Resident memory in MB after frame 200 and the highest after it, and frames a second."""
    finder = SlowFinder(pause, TrackingConfig(), Categories((Category(1, "square"),)))
    plan = Plan(stride=1, seconds=None, labels=None, overlay=True, frames_per_call=4)
    sizes: list[float] = []

    def watch(stream: Iterator[Named]) -> Iterator[Named]:
        for item in stream:
            sizes.append(resident_megabytes())
            yield item

    with tempfile.TemporaryDirectory() as folder:
        run_folder = begin_run(Path(folder) / "run", {}, resume=False, overwrite=False)
        started = time.perf_counter()
        with open_video(clip, decoder) as reader:  # type: ignore[arg-type]
            run_clip(str(clip), reader, finder, run_folder, plan, watch)  # type: ignore[arg-type]
        seconds = time.perf_counter() - started
    sizes.append(resident_megabytes())
    return sizes[SETTLED], max(sizes[SETTLED:]), len(sizes) / seconds


def resident_megabytes() -> float:
    """Of this process, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    sys.exit(main())
