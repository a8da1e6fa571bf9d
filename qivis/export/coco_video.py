"""A clip with its tracks in CocoVID form: COCO's json with videos, and one annotation per mask."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qivis.export.by_frame import objects_in
from qivis.export.dataset_entries import CLIP_ID, category_entries, frame_names, info
from qivis.files import write_atomically
from qivis.ops import rle
from qivis.structures import Track, TrackedClip, View


def write_coco_video(
    clip: TrackedClip, name: str, path: Path, pictures: Sequence[str] = ()
) -> None:
    """Write an annotation file of one video.

    Images and annotations are numbered from 1, `frame_id` from 0; `instance_id` is track id + 1.
    Annotations have the `score` of their detection besides.

    Args:
        clip: what was found.
        name: of the clip.
        path: of the json.
        pictures: see `frame_names`, by which frames are called.
    """
    shape = {"height": clip.size[0], "width": clip.size[1]}
    images = [
        {"id": frame + 1, "video_id": CLIP_ID, "frame_id": frame, "file_name": file_name} | shape
        for frame, file_name in enumerate(frame_names(clip, name, pictures))
    ]
    content = {
        "info": info(name),
        "videos": [{"id": CLIP_ID, "name": name} | shape],
        "images": images,
        "categories": category_entries(clip.categories),
        "annotations": list(_annotations(clip)),
    }
    write_atomically(path, json.dumps(content, separators=(",", ":")).encode("ascii"))


def _annotations(clip: TrackedClip) -> Iterator[dict[str, Any]]:
    numbers = itertools.count(1)
    for frame in range(len(clip.times)):
        for track, view in objects_in(clip, frame):
            yield {"id": next(numbers), "image_id": frame + 1} | _object(clip, track, view)


def _object(clip: TrackedClip, track: Track, view: View) -> dict[str, Any]:
    return {
        "video_id": CLIP_ID,
        "category_id": clip.categories.entries[track.label].id,
        "instance_id": track.track_id + 1,
        "iscrowd": 0,
        "bbox": rle.to_box(view.mask),
        "area": rle.area(view.mask),
        "segmentation": view.mask,
        "score": view.score,
    }
