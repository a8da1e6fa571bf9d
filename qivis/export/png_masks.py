"""Masks as DAVIS stores them: one indexed PNG a frame, whose values are the objects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.export.by_frame import objects_in
from qivis.export.disjoint import owners
from qivis.export.png_files import write_indexed
from qivis.files import atomic_folder
from qivis.structures import TrackedClip

MOST_INDICES = 255  # besides 0 for the background


def write_png_masks(clip: TrackedClip, folder: Path, pictures: Sequence[str] = ()) -> None:
    """Write the masks of T frames, all of them or none.

    The value of an object is its track id + 1. A pixel that several objects claim goes to the best
    score. A frame that could not be decoded is empty.

    Args:
        clip: what was found.
        folder: where to.
        pictures: the T frames' files, where the clip is a sequence of pictures; masks are called as
            they are. Those of a video are numbered, 00000.png, 00001.png ..., and those of pictures
            of which two have one name.

    Raises:
        DataError: if an id is too large for the format.
    """
    highest = max((track.track_id for track in clip.tracks), default=0)
    if highest + 1 > MOST_INDICES:
        raise DataError(
            f"{folder}: indexed PNGs have room for track ids up to {MOST_INDICES - 1}, but the "
            f"clip has {highest}; export it as mots (ids up to 998), ytvis or coco-video"
        )
    colors = palette()
    with atomic_folder(folder) as partial:
        for frame, stem in enumerate(_stems(clip, pictures)):
            write_indexed(partial / f"{stem}.png", _indices(clip, frame), colors)


def _stems(clip: TrackedClip, pictures: Sequence[str]) -> list[str]:
    stems = [Path(picture).stem for picture in pictures]
    distinct = {stem.casefold() for stem in stems}  # which some file systems do not tell apart
    if stems and len(distinct) == len(stems):
        return stems
    return [f"{frame:05d}" for frame in range(len(clip.times))]


def palette() -> NDArray[np.uint8]:
    """(256, 3) sRGB, as in DAVIS, which took it from PASCAL VOC's development kit.

    The bits of an index go in turn to red, green and blue, the lowest to the highest of these.
    """
    index = np.arange(256)[:, None]
    channel = np.arange(3)
    colors = np.zeros((256, 3), dtype=np.uint8)
    for place in range(3):  # 8 bits are three to a channel, and the last two
        colors |= (((index >> (3 * place + channel)) & 1) << (7 - place)).astype(np.uint8)
    return colors


def _indices(clip: TrackedClip, frame: int) -> NDArray[np.uint8]:
    """(H, W) values of one frame."""
    seen = objects_in(clip, frame)
    values = np.array([0, *(track.track_id + 1 for track, _ in seen)], dtype=np.uint8)
    return values[owners([view for _, view in seen], clip.size) + 1]
