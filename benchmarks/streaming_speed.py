"""What share of the network's own speed is left end to end: decoding, tracking, writing overlap.

    python benchmarks/streaming_speed.py [CLIP] [--weights default] [--threads 2] [--repeats 7]

In turn, the frames of a clip, decoded before, are given to the network alone, and the whole clip is
run as `qivis-infer` runs it: decoded, tracked, run lengths taken, drawn, encoded, put together.
The bar is 85 % of the network's frames a second on the same cores.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.data.video import open_video
from qivis.inference.predictor import Predictor, load_predictor
from qivis.inference.run import Plan, run_clip
from qivis.inference.run_folder import begin_run
from qivis.inference.side_by_side import find_side_by_side
from qivis.structures import Frame

LEAST_SHARE = 0.85
DEMO = Path(__file__).resolve().parents[1] / "qivis" / "assets" / "demo.mp4"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the medians; returns 1 where too little is left."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO))
    parser.add_argument("--weights", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--frames", type=int, default=64)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    predictor = load_predictor(args.weights)
    with open_video(args.clip, max_frames=args.frames) as reader:
        frames = list(islice(reader, args.frames))
    alone, whole = [], []
    time_alone(predictor, frames[:4])
    for _ in range(args.repeats):
        alone.append(time_alone(predictor, frames))
        whole.append(time_whole(predictor, args.clip, args.frames))
    network, end_to_end = (len(frames) / median(times) for times in (alone, whole))
    shares = [part / total for part, total in zip(alone, whole, strict=True)]
    name = Path(args.clip).name
    print(f"{name}: {len(frames)} frames, {args.threads} threads, {args.repeats} repeats")
    print(f"network alone {network:.2f} fps, end to end {end_to_end:.2f} fps (medians)")
    print(f"share: median {median(shares):.1%}, from {min(shares):.1%} to {max(shares):.1%}")
    return int(median(shares) < LEAST_SHARE)


def time_alone(predictor: Predictor, frames: Sequence[Frame]) -> float:
    """Seconds that the network takes for the frames."""
    started = time.perf_counter()
    for _ in find_side_by_side(frames, predictor):
        pass
    return time.perf_counter() - started


def time_whole(predictor: Predictor, clip: str, num_frames: int) -> float:
    """Seconds that a run takes, from opening the clip to the last file."""
    plan = Plan(stride=1, seconds=None, labels=None, overlay=True, frames_per_call=4)
    with tempfile.TemporaryDirectory() as folder:
        run_folder = begin_run(Path(folder) / "run", {}, resume=False, overwrite=False)
        started = time.perf_counter()
        with open_video(clip, max_frames=num_frames) as reader:
            run_clip(clip, reader, predictor, run_folder, plan, iter)
        return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
