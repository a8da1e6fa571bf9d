"""What the annotation files of a clip have in common, whatever their layout."""

from collections.abc import Sequence
from typing import Any

from qivis.structures import Categories, TrackedClip

CLIP_ID = 1  # the only video in its file


def info(name: str) -> dict[str, Any]:
    """What the file is, without a date: the same clip gives the same file."""
    return {"description": f"Objects of {name}, found and followed by qivis"}


def category_entries(categories: Categories) -> list[dict[str, Any]]:
    """The classes under the numbers that the weights have for them."""
    return [
        {"id": category.id, "name": category.name, "supercategory": "object"}
        for category in categories
    ]


def frame_names(clip: TrackedClip, name: str, pictures: Sequence[str]) -> list[str]:
    """One file name a frame, also for a frame that could not be decoded.

    Args:
        clip: of T frames.
        name: of the clip.
        pictures: the T frames' files, where the clip is a sequence of pictures; else empty.

    Returns:
        Those of the pictures; for a video, numbered from 0: name/00000.jpg, name/00001.jpg ...
    """
    return list(pictures) or [f"{name}/{frame:05d}.jpg" for frame in range(len(clip.times))]
