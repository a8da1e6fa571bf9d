"""Objects cut out of their frames: pictures with a transparent ground."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.export.by_frame import objects_in
from qivis.export.png_files import write_rgba
from qivis.files import atomic_folder
from qivis.ops import rle
from qivis.structures import Frame, Rle, TrackedClip


def write_cutouts(clip: TrackedClip, frames: Callable[[], Iterable[Frame]], folder: Path) -> None:
    """Write track_0000/00017.png ..., one per track and frame that shows it, all or none.

    Each is as large as the box of the object's mask, opaque where the mask is set, and holds
    nothing of what surrounds the object.

    Args:
        clip: what was found.
        frames: opens the clip once more; the index of a frame is its place in the clip.
        folder: where to.

    Raises:
        DataError: if the frames are not those of the clip.
        VideoError: if they cannot be decoded any more.
    """
    with atomic_folder(folder) as partial:
        for track in clip.tracks:
            (partial / f"track_{track.track_id:04d}").mkdir()
        for frame in _frames_with_objects(clip, frames(), folder):
            for track, view in objects_in(clip, frame.index):
                place = partial / f"track_{track.track_id:04d}" / f"{frame.index:05d}.png"
                write_rgba(place, cutout(frame, view.mask))


def cutout(frame: Frame, mask: Rle) -> NDArray[np.uint8]:
    """(h, w, 4) sRGB and opacity of the box around a mask of this frame; zeros outside the mask."""
    left, top, width, height = map(int, rle.to_box(mask))
    window = np.s_[top : top + height, left : left + width]
    inside = rle.decode([mask], frame.size)[0].numpy()[window][:, :, None]
    colors = frame.image.permute(1, 2, 0).cpu().numpy()[window]
    return np.concatenate([colors * inside, inside * np.uint8(255)], axis=2)


def _frames_with_objects(
    clip: TrackedClip, frames: Iterable[Frame], folder: Path
) -> Iterator[Frame]:
    """The frames that show something, and no other.

    Raises:
        DataError: if one is missing or of another size.
    """
    missing = {
        index for track in clip.tracks for index, view in enumerate(track.views) if view is not None
    }
    for frame in frames:
        if frame.index not in missing:
            continue
        if frame.size != clip.size:
            raise DataError(
                f"{folder}: expected frames of {clip.size[1]} x {clip.size[0]} pixels, in which "
                f"the tracks were found; frame {frame.index} has "
                f"{frame.size[1]} x {frame.size[0]}"
            )
        yield frame
        missing.remove(frame.index)
        if not missing:
            return
    if missing:
        raise DataError(
            f"{folder}: frame {min(missing)} has objects, but could not be decoded once more; "
            "is the clip the one that the tracks were found in?"
        )
