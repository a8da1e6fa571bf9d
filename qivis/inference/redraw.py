"""Overlays of tracks that are known already."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

import torch

from qivis.export.by_frame import objects_in
from qivis.inference.journal import Journal, JournalFrame
from qivis.ops import rle
from qivis.structures import Frame, TrackedClip, TrackedDetections
from qivis.viz import VideoWriter, draw
from qivis.viz.join import join_videos


def redraw_stale_parts(
    journal: Journal, clip: TrackedClip, frames_from: Callable[[int], Iterator[Frame]]
) -> None:
    """Draw those parts of an overlay anew that show other tracks or classes than the results list.

    A part is drawn before the rest of the clip is known, by which a class may change. A part stays
    as it is where a damaged clip gives other frames when it is read from there on.

    Args:
        journal: of all frames.
        clip: the results.
        frames_from: reads the clip once more, from a frame on.

    Raises:
        QivisError: if it cannot be decoded once more, or nothing can be written.
    """
    labels = {track.track_id: track.label for track in clip.tracks}
    for chunk in range(journal.num_chunks):
        frames = list(journal.chunk(chunk))
        if any(_is_stale(frame, labels) for frame in frames):
            pictures = islice(frames_from(frames[0].index), len(frames))
            with (
                suppress(_OtherFramesError),
                VideoWriter(journal.overlay(chunk), clip.size, clip.fps) as writer,
            ):
                if _draw_all(clip, pictures, writer) != [frame.seconds for frame in frames]:
                    raise _OtherFramesError


class _OtherFramesError(Exception):
    pass


def _is_stale(frame: JournalFrame, labels: Mapping[int, int]) -> bool:
    """Whether a track that is drawn or listed had another class, or is not listed at all.

    labels: of the tracks that are listed, by id.
    """
    return any(
        labels.get(track_id) != label
        for track_id, label, _ in frame.seen
        if track_id in frame.drawn or track_id in labels
    )


def redraw(
    clip: TrackedClip, frames: Iterable[Frame], path: Path, sound: Path | None, scratch: Path
) -> None:
    """Write a clip with its tracks drawn in, as a run does, whole or not at all.

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
    silent = scratch / path.name
    with VideoWriter(silent, clip.size, clip.fps) as writer:
        times = _draw_all(clip, frames, writer)
    join_videos([silent], times, path, clip.fps, sound)


def _draw_all(clip: TrackedClip, frames: Iterable[Frame], writer: VideoWriter) -> list[float]:
    """Draw frames with the tracks of their clip; gives their times."""
    times = []
    for frame in frames:
        picture = draw(frame, tracked_in(clip, frame.index), clip.categories.names)
        writer.write(picture, frame.seconds)
        times.append(frame.seconds)
    return times


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
