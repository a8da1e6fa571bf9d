"""Tracks of masks: what is the same for every metric that compares them.

A mask without pixels is no mask: its object is not seen in this frame.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.ops import rle

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class MaskTracks:
    """N tracks of one video, in which each has its own number of frames, T at most.

    masks: for each track its frames: run lengths, or None where it is not seen.
    areas: (N, T), set pixels; 0 where a track is not seen, or after its last frame.
    """

    masks: Sequence[Sequence[Any]]
    areas: Counts

    def __len__(self) -> int:
        return len(self.masks)

    def lengths(self) -> Counts:
        """(N,) numbers of frames."""
        return np.array([len(track) for track in self.masks], dtype=np.int64)

    def seen(self, frame: int) -> NDArray[np.intp]:
        """Indices of the tracks that have pixels in a frame."""
        return np.flatnonzero(self.areas[:, frame])

    def at(self, frame: int, rows: NDArray[np.intp]) -> list[Any]:
        """The masks of some tracks in a frame."""
        return [self.masks[row][frame] for row in rows]


@dataclass(frozen=True)
class SharedPixels:
    """What two sets of tracks have in common in one frame.

    rows, columns: (n,) and (m,), indices of the tracks that are seen.
    pixels: (n, m) pixels of their intersections, exact.
    overlaps: (n, m) intersections over unions.
    """

    frame: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    pixels: Counts
    overlaps: NDArray[np.float64]


def read_mask_tracks(entries: Sequence[Mapping[str, Any]], video: Mapping[str, Any]) -> MaskTracks:
    """The tracks of annotations or results.

    Args:
        entries: with `segmentations`: for each frame polygons, either kind of RLE, or None.
        video: their video; its `height` and `width` are asked for where there are polygons.

    Raises:
        DataError: if a segmentation is none of these.
    """
    masks = [_compressed(entry["segmentations"], video) for entry in entries]
    areas = np.zeros((len(masks), max(map(len, masks), default=0)), dtype=np.int64)
    places = [(row, frame) for row, track in enumerate(masks) for frame, m in enumerate(track) if m]
    if places:
        areas[tuple(np.transpose(places))] = rle.areas([masks[r][f] for r, f in places])
    return MaskTracks(masks, areas)


def shared_pixels(found: MaskTracks, wanted: MaskTracks) -> Iterator[SharedPixels]:
    """What found and wanted tracks share, frame by frame, where there are both."""
    for frame in range(min(found.areas.shape[1], wanted.areas.shape[1])):
        rows, columns = found.seen(frame), wanted.seen(frame)
        if not len(rows) or not len(columns):
            continue
        overlaps = rle.overlaps(found.at(frame, rows), wanted.at(frame, columns))
        both = found.areas[rows, frame, None] + wanted.areas[columns, frame]
        # overlap = shared / (both - shared); a double is precise enough to give whole pixels back.
        pixels = np.rint(overlaps * both / (1 + overlaps)).astype(np.int64)
        yield SharedPixels(frame, rows, columns, pixels, overlaps)


def track_overlaps(found: MaskTracks, wanted: MaskTracks) -> NDArray[np.float64]:
    """(D, N): the intersections of all frames, summed, over their unions, summed.

    Where two tracks differ in length, the frames beyond the shorter one do not count.
    """
    shared = np.zeros((len(found), len(wanted)), dtype=np.int64)
    for common in shared_pixels(found, wanted):
        shared[np.ix_(common.rows, common.columns)] += common.pixels
    ends = np.minimum.outer(found.lengths(), wanted.lengths())
    rows, columns = np.ogrid[: len(found), : len(wanted)]
    union = _areas_before(found)[rows, ends] + _areas_before(wanted)[columns, ends] - shared
    overlaps: NDArray[np.float64] = shared / np.maximum(1, union)
    return overlaps


def mean_areas(areas: NDArray[Any]) -> NDArray[np.float64]:
    """(N, T) areas to (N,) their means over the frames in which there is something."""
    means: NDArray[np.float64] = areas.sum(axis=1) / np.maximum(1, np.count_nonzero(areas, axis=1))
    return means


def _areas_before(tracks: MaskTracks) -> Counts:
    """(N, T + 1): the pixels of all frames before each."""
    return np.pad(np.cumsum(tracks.areas, axis=1), ((0, 0), (1, 0)))


def _compressed(segmentations: Sequence[Any], video: Mapping[str, Any]) -> list[Any]:
    """Whatever a segmentation is becomes compressed run lengths; what is not seen is None."""
    masks: list[Any] = []
    for frame, segmentation in enumerate(segmentations):
        if not segmentation:
            masks.append(None)
        elif isinstance(segmentation, dict) and isinstance(
            segmentation.get("counts"), (str, bytes)
        ):
            masks.append(segmentation)
        else:
            masks.append(_encoded(segmentation, frame, video))
    return masks


def _encoded(segmentation: Any, frame: int, video: Mapping[str, Any]) -> rle.Rle:
    is_polygons = isinstance(segmentation, list)
    try:
        size = (video["height"], video["width"]) if is_polygons else tuple(segmentation["size"])
        return rle.from_segmentation(segmentation, size)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"video {video['id']}, frame {frame}: {error}") from error
