"""Random videos, and TrackEval as a second opinion on them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qivis.ops import rle

SIZE = (320, 400)
FRAMES = 5
CLASSES = {2: "cat", 5: "dog", 6: "eel", 9: "fox"}


def random_case(seed: int, *, crowds: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ten videos: objects of all sizes that come and go, and tracks that find some of them.

    Scores are often equal. One class has no object. A crowd has one track near it at most, because
    TrackEval lets only one track answer for a crowd, and the official code all.
    """
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for video in range(1, 11):
        for _ in range(rng.integers(0, 6)):
            path = random_path(rng)
            is_crowd = crowds and rng.random() < 0.25
            category = int(rng.choice([2, 5, 6]))
            annotations.append(annotation(len(annotations) + 1, video, category, path, is_crowd))
            for _ in range(1 if is_crowd else rng.integers(0, 4)):
                near = path + rng.normal(0, rng.choice([1, 4, 12]), (1, 4))
                found = category if rng.random() < 0.8 else int(rng.choice(list(CLASSES)))
                results.append(result(rng, video, found, near))
        for _ in range(rng.integers(0, 3)):
            far = random_path(rng) * [1, 1, 0.2, 0.2]
            results.append(result(rng, video, int(rng.choice(list(CLASSES))), far))
    truth = {
        "videos": [
            {
                "id": video,
                "height": SIZE[0],
                "width": SIZE[1],
                "file_names": [f"v{video}/{frame}.jpg" for frame in range(FRAMES)],
            }
            for video in range(1, 11)
        ],
        "categories": [{"id": number, "name": name} for number, name in CLASSES.items()],
        "annotations": annotations,
    }
    return truth, results


def random_path(rng: np.random.Generator) -> np.ndarray:
    """(T, 4): x and y of the middle and both radii, in pixels."""
    middle = rng.uniform([80, 80], [320, 240]) + np.outer(range(FRAMES), rng.normal(0, 15, 2))
    radii = np.exp(rng.uniform(np.log(20), np.log(250))) * rng.uniform(0.7, 1.3, 2)
    return np.concatenate([middle, np.broadcast_to(radii, (FRAMES, 2))], axis=1)


def masks(rng: np.random.Generator, path: np.ndarray, absent: float) -> list[Any]:
    """Ellipses along a path, some of them missing."""
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    seen = [
        ((x - cx) / max(rx, 3)) ** 2 + ((y - cy) / max(ry, 3)) ** 2 < 1 for cx, cy, rx, ry in path
    ]
    encoded = rle.encode(torch.from_numpy(np.stack(seen)))
    return [None if rng.random() < absent or not rle.area(m) else m for m in encoded]


def annotation(
    number: int, video: int, category: int, path: np.ndarray, is_crowd: bool
) -> dict[str, Any]:
    segmentations = masks(np.random.default_rng(number), path, absent=0.1)
    return {
        "id": number,
        "video_id": video,
        "category_id": category,
        "iscrowd": int(is_crowd),
        "height": SIZE[0],
        "width": SIZE[1],
        "segmentations": [mask and uncompressed(mask) for mask in segmentations],
        "areas": [mask and rle.area(mask) for mask in segmentations],
    }


def result(rng: np.random.Generator, video: int, category: int, path: np.ndarray) -> dict[str, Any]:
    return {
        "video_id": video,
        "category_id": category,
        "score": float(rng.integers(1, 10)) / 10,
        "segmentations": masks(rng, path, absent=0.1),
    }


def uncompressed(mask: rle.Rle) -> dict[str, Any]:
    """TrackEval reads annotations of no other kind."""
    (pixels,) = rle.decode([mask], SIZE).numpy()
    column = pixels.T.ravel()
    ends = [*np.flatnonzero(np.diff(column, prepend=False)), column.size]
    return {"size": list(SIZE), "counts": np.diff(ends, prepend=0).tolist()}


def trackeval_dataset(folder: Path, truth: Any, results: Any) -> Any:
    """TrackEval's own reader of YouTube-VIS."""
    reason = "trackeval is not installed (pip install 'qivis[track-metrics]')"
    datasets = pytest.importorskip("trackeval.datasets", reason=reason)
    for path, content in (
        ("truth/youtube_vis_all/truth.json", truth),
        ("found/youtube_vis_all/ours/data/results.json", results),
    ):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(json.dumps(content))
    dataset = datasets.YouTubeVIS(
        {
            "GT_FOLDER": f"{folder}/truth/",
            "TRACKERS_FOLDER": f"{folder}/found/",
            "SPLIT_TO_EVAL": "all",
            "PRINT_CONFIG": False,
        }
    )
    dataset.global_tid_counter = 1  # it takes an object that track 0 found for one that is free
    return dataset


def trackeval_figures(dataset: Any, metric: Any) -> dict[str, Any]:
    """What a metric of TrackEval says of each class by its name."""
    videos = {
        name: dataset.get_raw_seq_data("ours", name)
        for name in sorted(dataset.seq_list, key=dataset.seq_name_to_seq_id.get)
    }
    return {
        name: metric.combine_sequences(
            {
                video: metric.eval_sequence(dataset.get_preprocessed_seq_data(data, name))
                for video, data in videos.items()
            }
        )
        for name in dataset.class_list
    }
