"""How long YouTube-VIS AP takes, and how much memory, for a set of the official size.

    OMP_NUM_THREADS=1 python benchmarks/youtube_vis_ap.py [--videos 421] [--runs 3]

Makes videos of 30 frames at 1280 x 720 with 4 objects and 100 tracks each; half of the tracks
follow an object, half move elsewhere. They are measured as of 40 categories, and as of one, which
is the worst case: every track is then compared with every object. Making them (about 0.3 s a video)
and loading are not counted. Beside it, in the same run and on some of the videos, stands what takes
the official code nearly all of its time: pycocotools' area of every mask, and merge and area of
every pair of masks, one by one.
"""

import argparse
import os
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.ops import rle

SIZE = (720, 1280)
NUM_FRAMES, NUM_OBJECTS, NUM_TRACKS, NUM_CATEGORIES = 30, 4, 100, 40
CORNERS = np.linspace(0, 2 * np.pi, 48, endpoint=False)

Entries = list[dict[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=421, help="the set (default: 421)")
    parser.add_argument("--plain-videos", type=int, default=12, help="compared plainly, too")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is printed")
    args = parser.parse_args(argv)
    truth, results = make_videos(args.videos)
    length = np.mean([len(mask["counts"]) for mask in results[0]["segmentations"] if mask])
    print(f"{args.videos} videos, {len(results)} tracks, {length:.0f} bytes a mask")
    print(f"{os.cpu_count()} cores; median of {args.runs} runs; loading not counted\n")
    print("| tracks | wall s | CPU s | memory besides, MB | CPU time one by one / ours |")
    print("|---|---|---|---|---|")
    for name in ("of 40 categories", "of one category"):
        if name == "of one category":
            for entry in (*truth["annotations"], *results):
                entry["category_id"] = 1
        runs = [seconds(lambda: evaluate_youtube_vis(truth, results)) for _ in range(args.runs)]
        wall, cpu = (statistics.median(figures) for figures in zip(*runs, strict=True))
        memory = peak_memory(lambda: evaluate_youtube_vis(truth, results))
        ratio = plain_ratio(truth, results, args.plain_videos, args.runs)
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {memory:.0f} | {ratio:.1f} |")
    return 0


def make_videos(number: int) -> tuple[dict[str, Any], Entries]:
    """Annotations and results; the same for the same number."""
    rng = np.random.default_rng(0)
    annotations: Entries = []
    results: Entries = []
    for video in range(1, number + 1):
        objects = [random_path(rng) for _ in range(NUM_OBJECTS)]
        categories = rng.integers(1, NUM_CATEGORIES + 1, NUM_OBJECTS).tolist()
        for path, category in zip(objects, categories, strict=True):
            masks = draw(path)
            entry = {"id": len(annotations) + 1, "video_id": video, "category_id": category}
            areas = [rle.area(mask) for mask in masks]
            annotations.append(entry | {"iscrowd": 0, "segmentations": masks, "areas": areas})
        for _ in range(NUM_TRACKS):
            follows = int(rng.integers(NUM_OBJECTS))
            is_near = rng.random() < 0.5
            path = objects[follows] + rng.normal(0, 5, (1, 48, 2)) if is_near else random_path(rng)
            right = is_near and rng.random() < 0.5
            entry = {
                "video_id": video,
                "category_id": categories[follows] if right else int(rng.integers(1, 41)),
                "score": float(rng.random()),
                "segmentations": [mask if rng.random() < 0.95 else None for mask in draw(path)],
            }
            results.append(entry)
    videos = [
        {"id": video, "height": SIZE[0], "width": SIZE[1], "length": NUM_FRAMES}
        for video in range(1, number + 1)
    ]
    names = [{"id": category, "name": str(category)} for category in range(1, 41)]
    return {"videos": videos, "categories": names, "annotations": annotations}, results


def random_path(rng: np.random.Generator) -> np.ndarray:
    """(T, 48, 2): corners of a bumpy outline that moves, in pixels."""
    waves = np.arange(1, 7)[:, None] * CORNERS + rng.uniform(0, 6, (6, 1))
    radii = rng.uniform(40, 220) * (1 + rng.normal(0, 0.05, 6) @ np.cos(waves))
    outline = np.stack([radii * np.cos(CORNERS), radii * np.sin(CORNERS)], axis=1)
    middle = rng.uniform([150, 150], [SIZE[1] - 150, SIZE[0] - 150])
    moved = middle + np.arange(NUM_FRAMES)[:, None] * rng.normal(0, 8, 2)
    return outline + moved[:, None]


def draw(path: np.ndarray) -> list[Any]:
    """The masks of an outline, frame by frame."""
    inside = path.clip([0, 0], [SIZE[1] - 1, SIZE[0] - 1])
    return [rle.from_segmentation([corners.ravel().tolist()], SIZE) for corners in inside]


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds, the latter of all processes."""
    start, before = time.perf_counter(), os.times()
    work()
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def peak_memory(work: Callable[[], object]) -> float:
    """The memory that is taken meanwhile, in MB. Watching it takes time of its own."""
    used, done = [memory_in_use()], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            used.append(memory_in_use())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(used) - used[0]


def memory_in_use() -> float:
    """MB of this process and its children; what they share counts once."""
    own = Path("/proc/self/task").glob("*/children")
    processes = ["self", *(child for tasks in own for child in tasks.read_text().split())]
    total = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def plain_ratio(truth: Mapping[str, Any], results: Entries, number: int, runs: int) -> float:
    """How many times as long the comparison one by one takes as all of our evaluation."""
    part = {
        **truth,
        "videos": truth["videos"][:number],
        "annotations": [ann for ann in truth["annotations"] if ann["video_id"] <= number],
    }
    found = [entry for entry in results if entry["video_id"] <= number]
    ours, plain = [], []
    for _ in range(runs):
        ours.append(seconds(lambda: evaluate_youtube_vis(part, found))[1])
        plain.append(seconds(lambda: compare_plainly(part["annotations"], found))[1])
    return statistics.median(plain) / statistics.median(ours)


def compare_plainly(annotations: Entries, results: Entries) -> list[float]:
    """Areas of all masks, and overlaps of all pairs of one video and category, one by one."""
    for result in results:
        result["areas"] = [coco_mask.area(mask) if mask else 0 for mask in result["segmentations"]]
    groups = defaultdict(list)
    for annotation in annotations:
        groups[annotation["video_id"], annotation["category_id"]].append(annotation)
    return [
        plain_overlap(result["segmentations"], annotation["segmentations"])
        for result in results
        for annotation in groups[result["video_id"], result["category_id"]]
    ]


def plain_overlap(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The overlap of two tracks."""
    shared = union = 0
    for ours, theirs in zip(found, wanted, strict=True):
        present = [mask for mask in (ours, theirs) if mask]
        if len(present) == 2:
            shared += coco_mask.area(coco_mask.merge(present, intersect=True))
        if present:
            union += coco_mask.area(coco_mask.merge(present))
    return shared / union if union else 0.0


if __name__ == "__main__":
    sys.exit(main())
