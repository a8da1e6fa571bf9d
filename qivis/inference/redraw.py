"""An overlay of tracks that are known already, as a run would have drawn it."""

from collections.abc import Iterable
from pathlib import Path

import torch

from qivis.export.by_frame import objects_in
from qivis.ops import rle
from qivis.structures import Frame, TrackedClip, TrackedDetections
from qivis.viz import VideoWriter, draw
from qivis.viz.join import join_videos


def redraw(
    clip: TrackedClip, frames: Iterable[Frame], path: Path, sound: Path | None, scratch: Path
) -> None:
    """Write a clip with its tracks drawn in, whole or not at all.

    Args:
        clip: what was found.
        frames: of it; the index of a frame is its place in the clip.
        path: of the mp4.
        sound: the video that has the sound; None for none.
        scratch: a folder for the pictures until the sound is there; what is left of them in it is
            of no use.

    Raises:
        DataError: if nothing can be written there, or there is not one frame.
        VideoError: if the frames cannot be decoded.
    """
    times, silent = [], scratch / path.name
    with VideoWriter(silent, clip.size, clip.fps) as writer:
        for frame in frames:
            picture = draw(frame, tracked_in(clip, frame.index), clip.categories.names)
            writer.write(picture, frame.seconds)
            times.append(frame.seconds)
    join_videos([silent], times, path, clip.fps, sound)


def tracked_in(clip: TrackedClip, frame: int) -> TrackedDetections:
    """The objects of a frame as the tracker gave them, but for embeddings, which are not kept.

    Args:
        clip: what was found.
        frame: index.

    Returns:
        N objects by id, with the tightest boxes around their masks and embeddings of width 0.
    """
    seen = objects_in(clip, frame)
    boxes = torch.tensor([rle.to_box(view.mask) for _, view in seen]).reshape(-1, 4)
    return TrackedDetections(
        size=clip.size,
        boxes=torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1),
        labels=torch.tensor([track.label for track, _ in seen], dtype=torch.int64),
        scores=torch.tensor([view.score for _, view in seen], dtype=torch.float32),
        masks=rle.decode([view.mask for _, view in seen], clip.size),
        embeddings=torch.zeros(len(seen), 0),
        track_ids=torch.tensor([track.track_id for track, _ in seen], dtype=torch.int64),
        likeness=torch.tensor([view.likeness for _, view in seen], dtype=torch.float32),
    )
