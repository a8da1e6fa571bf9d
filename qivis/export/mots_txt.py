"""The text format of MOTS: one line per mask, and no two masks of a frame share a pixel.

Format: https://www.vision.rwth-aachen.de/page/mots. It does not say how frames are counted. By the
readers of TrackEval 1.3, MOTSChallenge counts them from 1, as is done here; KITTI MOTS from 0.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from qivis.errors import DataError
from qivis.export.by_frame import objects_in
from qivis.export.disjoint import disjoint_masks
from qivis.files import atomic_path
from qivis.ops import rle
from qivis.structures import Categories, TrackedClip

IDS_OF_A_CLASS = 1000  # an id is 1000 x class + instance
KITTI_CLASSES = {"car": 1, "vehicle": 1, "person": 2, "pedestrian": 2}
FIRST_OTHER_CLASS = 3
IGNORED_CLASS = 10  # what MOTS calls a region in which nothing counts


def write_mots(clip: TrackedClip, path: Path) -> None:
    """Write one line per frame and object: frame, id, class, height, width, run lengths.

    The instance number in an id is track id + 1. A pixel that several objects claim goes to the
    best score; an object of which nothing is left is not listed in that frame.

    Raises:
        DataError: if an id is too large for the format.
    """
    highest = max((track.track_id for track in clip.tracks), default=0)
    if highest + 1 >= IDS_OF_A_CLASS:
        raise DataError(
            f"{path}: MOTS has room for track ids up to {IDS_OF_A_CLASS - 2}, but the clip has "
            f"{highest}; export it as ytvis or coco-video, or in shorter parts"
        )
    with (
        atomic_path(path) as partial,
        partial.open("w", encoding="ascii", newline="\n") as file,
    ):
        file.writelines(_lines(clip))


def class_numbers(categories: Categories) -> list[int]:
    """What MOTS calls each of the K classes.

    Car and vehicle are 1, person and pedestrian 2, as in KITTI MOTS. The others are numbered from
    3 on in their order, without 10, which is no class.
    """
    free = (number for number in itertools.count(FIRST_OTHER_CLASS) if number != IGNORED_CLASS)
    return [
        KITTI_CLASSES[name] if name in KITTI_CLASSES else next(free) for name in categories.names
    ]


def _lines(clip: TrackedClip) -> Iterator[str]:
    numbers = class_numbers(clip.categories)
    height, width = clip.size
    for frame in range(len(clip.times)):
        seen = objects_in(clip, frame)
        masks = disjoint_masks([view for _, view in seen], clip.size)
        for (track, _), mask in zip(seen, masks, strict=True):
            number = numbers[track.label]
            identity = IDS_OF_A_CLASS * number + track.track_id + 1
            if rle.area(mask):
                yield f"{frame + 1} {identity} {number} {height} {width} {mask['counts']}\n"
