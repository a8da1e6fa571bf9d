"""A clip with its tracks as a data set of YouTube-VIS: annotations to train on or to correct.

`tracks.json` holds the same masks in the results format, which goes without the clip.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qivis.export.dataset_entries import CLIP_ID, category_entries, frame_names, info
from qivis.files import write_atomically
from qivis.ops import rle
from qivis.ops.run_lengths import run_lengths
from qivis.structures import Track, TrackedClip


def write_ytvis(clip: TrackedClip, name: str, path: Path, pictures: Sequence[str] = ()) -> None:
    """Write an annotation file of one video, as the official one is laid out.

    Run lengths are lists of numbers, as there: TrackEval reads no others. Annotations are numbered
    by track id + 1, for the official metric takes 0 for no object. They have a `score` and the
    `track_id` besides, by which wrong ones can be left out.

    Args:
        clip: what was found.
        name: of the clip.
        path: of the json.
        pictures: see `frame_names`, by which frames are called.
    """
    height, width = clip.size
    shape = {"height": height, "width": width, "length": len(clip.times)}
    video = {"id": CLIP_ID, **shape, "file_names": frame_names(clip, name, pictures)}
    content = {
        "info": info(name),
        "videos": [video],
        "categories": category_entries(clip.categories),
        "annotations": [_annotation(clip, track) | shape for track in clip.tracks],
    }
    write_atomically(path, json.dumps(content, separators=(",", ":")).encode("ascii"))


def _annotation(clip: TrackedClip, track: Track) -> dict[str, Any]:
    return {
        "id": track.track_id + 1,
        "video_id": CLIP_ID,
        "category_id": clip.categories.entries[track.label].id,
        "iscrowd": 0,
        "segmentations": [_uncompressed(mask) if mask else None for mask in track.masks],
        "bboxes": [rle.to_box(mask) if mask else None for mask in track.masks],
        "areas": [rle.area(mask) if mask else None for mask in track.masks],
        "score": track.score,
        "track_id": track.track_id,
    }


def _uncompressed(mask: rle.Rle) -> dict[str, Any]:
    return {"counts": run_lengths(mask["counts"]).tolist(), "size": mask["size"]}
