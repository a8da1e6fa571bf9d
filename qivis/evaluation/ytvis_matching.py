"""Which tracks of one video and category answer for which annotated objects.

The rules are those of youtube-vis-api's `ytvoseval.py`; sections 7.1 of its facts: overlap is the
sum of the intersections over the sum of the unions of all frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.ops import rle

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST_DETECTIONS = 100
# Pixels, of the mean area over the frames in which an object is seen: all, small, medium, large.
AREA_RANGES = np.array([[0, 1e10], [0, 128**2], [128**2, 256**2], [256**2, 1e10]])

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Matching:
    """D tracks, best score first, against N objects, for 4 areas and 10 thresholds.

    scores: (D,).
    matched: (4, 10, D), whether the track answers for an object.
    ignored: (4, 10, D), whether the track does not count.
    truth_ignored: (4, N), whether the object does not count.
    """

    scores: NDArray[np.float64]
    matched: Bools
    ignored: Bools
    truth_ignored: Bools


def match_video(
    video: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
) -> Matching:
    """Match the tracks and objects of one video and category.

    Args:
        video: with `height` and `width`, where annotations are polygons.
        annotations: N objects; those with `iscrowd` do not count and may be matched repeatedly.
        results: tracks; the 100 best are looked at.
    """
    order = np.argsort([-result["score"] for result in results], kind="stable")[:MOST_DETECTIONS]
    tracks = [results[index] for index in order]
    found = [_compressed(track["segmentations"], video) for track in tracks]
    wanted = [_compressed(annotation["segmentations"], video) for annotation in annotations]
    crowds = np.array([bool(a.get("iscrowd")) for a in annotations], dtype=bool)
    outside_truth = _outside(np.array([_mean_area(a.get("areas") or []) for a in annotations]))
    outside_found = _outside(np.array([_mean_area(_areas(masks)) for masks in found]))
    overlaps = track_overlaps(found, wanted)
    truth_ignored = crowds | outside_truth
    matched, ignored = _assign(overlaps, truth_ignored, crowds)
    return Matching(
        scores=np.array([track["score"] for track in tracks], dtype=float),
        matched=matched,
        ignored=ignored | (~matched & outside_found[:, None]),
        truth_ignored=truth_ignored,
    )


def track_overlaps(
    found: Sequence[Sequence[Any]], wanted: Sequence[Sequence[Any]]
) -> NDArray[np.float64]:
    """(D, N) overlaps of tracks, each a list of RLEs or None per frame.

    Where two lists differ in length, the frames beyond the shorter one do not count.
    """
    shared = np.zeros((len(found), len(wanted)))
    union = np.zeros((len(found), len(wanted)))
    lengths = [len(masks) for masks in (*found, *wanted)]
    for frame in range(max(lengths, default=0)):
        rows, row_masks = _present(found, frame)
        columns, column_masks = _present(wanted, frame)
        both = rle.intersections(row_masks, column_masks)
        row_areas, column_areas = np.zeros(len(found)), np.zeros(len(wanted))
        row_areas[rows], column_areas[columns] = rle.areas(row_masks), rle.areas(column_masks)
        common = np.outer([frame < len(m) for m in found], [frame < len(m) for m in wanted])
        here = np.zeros_like(shared)
        here[np.ix_(rows, columns)] = both
        shared += here * common
        union += (row_areas[:, None] + column_areas - here) * common
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _assign(
    overlaps: NDArray[np.float64], truth_ignored: Bools, crowds: Bools
) -> tuple[Bools, Bools]:
    """Give each track, best score first, the free object that it overlaps most.

    Returns:
        matched and ignored, both (4, 10, D).
    """
    num_tracks, num_objects = overlaps.shape
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS))
    matched, ignored = np.zeros((2, *shape, num_tracks), dtype=bool)
    if not num_objects:
        return matched, ignored
    least = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
    free = np.ones((*shape, num_objects), dtype=bool)
    counts = np.broadcast_to(~truth_ignored[:, None], free.shape)
    for track, row in enumerate(overlaps):
        fits = (free | crowds) & (row >= least[:, None])
        real = fits & counts
        # An object that counts goes before every one that does not; of equals, the last wins.
        choice = np.where(real.any(-1, keepdims=True), real, fits)
        last_best = num_objects - 1 - np.argmax(np.where(choice, row, -1.0)[..., ::-1], axis=-1)
        chosen = np.eye(num_objects, dtype=bool)[last_best] & choice
        matched[..., track] = chosen.any(-1)
        ignored[..., track] = (chosen & ~counts).any(-1)
        free &= ~chosen
    return matched, ignored


def _outside(areas: NDArray[np.float64]) -> Bools:
    """(N,) mean areas to (4, N): whether the area lies outside the range."""
    return (areas < AREA_RANGES[:, :1]) | (areas > AREA_RANGES[:, 1:])


def _mean_area(areas: Sequence[float | None]) -> float:
    seen = [area for area in areas if area]
    return float(np.mean(seen)) if seen else 0.0


def _areas(masks: Sequence[Any]) -> list[float]:
    present = [mask for mask in masks if mask]
    return [float(area) for area in rle.areas(present)]


def _present(tracks: Sequence[Sequence[Any]], frame: int) -> tuple[list[int], list[Any]]:
    """The tracks that are seen in a frame, and their masks."""
    rows = [row for row, masks in enumerate(tracks) if frame < len(masks) and masks[frame]]
    return rows, [tracks[row][frame] for row in rows]


def _compressed(segmentations: Sequence[Any], video: Mapping[str, Any]) -> list[Any]:
    """Polygons and uncompressed run lengths become compressed ones; what is not seen stays None."""
    masks: list[Any] = []
    for frame, segmentation in enumerate(segmentations):
        if not segmentation:
            masks.append(None)
        elif isinstance(segmentation, Mapping) and isinstance(
            segmentation.get("counts"), str | bytes
        ):
            masks.append(segmentation)
        else:
            size = (
                (video["height"], video["width"])
                if isinstance(segmentation, list)
                else tuple(segmentation["size"])
            )
            try:
                masks.append(rle.from_segmentation(segmentation, size))
            except ValueError as error:
                raise DataError(f"video {video['id']}, frame {frame}: {error}") from error
    return masks
