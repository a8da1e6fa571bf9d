"""One clip from its first frame to its results; what was cut short goes on where it stopped."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from qivis.data.video import FrameSource, VideoInfo, comes_live
from qivis.errors import VideoError
from qivis.export.tracks_json import write_tracks
from qivis.inference.ahead import Behind
from qivis.inference.journal import Journal
from qivis.inference.onnx_predictor import AnyPredictor
from qivis.inference.recorder import Recorder
from qivis.inference.redraw import redraw_stale_parts
from qivis.inference.run_folder import OVERLAY, TRACKS, UNFINISHED
from qivis.inference.video import segment_frames
from qivis.structures import Frame, TrackedClip, TrackedDetections
from qivis.tracking import TrackletCollector, build_tracker
from qivis.viz.join import join_videos

FRAMES_BEHIND = 4  # that wait to be drawn and written

Named = tuple[Frame, TrackedDetections]
Progress = Callable[[Iterator[Named]], Iterable[Named]]


@dataclass(frozen=True)
class Plan:
    """Which frames and objects of a clip are wanted, and how they are found.

    stride: every `stride`-th frame is looked at, and is a frame of the results.
    seconds: from there on the clip is left out; None for all of it.
    labels: of the classes whose tracks are kept; None for all.
    overlay: whether frames with their objects are drawn.
    frames_per_call: see `segment_video`.
    """

    stride: int
    seconds: float | None
    labels: Sequence[int] | None
    overlay: bool
    frames_per_call: int


def run_clip(
    source: str,
    reader: FrameSource,
    predictor: AnyPredictor,
    folder: Path,
    plan: Plan,
    progress: Progress,
) -> TrackedClip:
    """Find and follow the objects of a clip, and write `tracks.json` and `overlay.mp4`.

    Decoding, the network, and drawing and writing go on at the same time, in three threads.

    Args:
        source: a file or folder, or a live stream, which may be ended by an interrupt.
        reader: of it.
        predictor: finds the objects.
        folder: of the run; may hold a journal of what is done already.
        plan: what is wanted.
        progress: wraps the stream of frames, to show how far it is.

    Raises:
        QivisError: if the clip cannot be decoded, or nothing can be written.
    """
    path = Path(source)
    info = replace(reader.info, fps=reader.info.fps / plan.stride)
    journal = Journal(folder / UNFINISHED, info.size)
    tracker = build_tracker(predictor.tracking, journal.state())
    live = comes_live(source)
    frames = wanted(reader, plan, journal.next_index)
    min_frames, labels = predictor.tracking.min_frames, plan.labels
    recorder = Recorder(
        journal, info, predictor.categories, min_frames, labels, with_overlay=plan.overlay
    )
    with recorder, Behind(FRAMES_BEHIND) as behind:
        try:
            for frame, tracked in progress(
                segment_frames(frames, predictor, tracker, plan.frames_per_call)
            ):
                behind.call(recorder.add, frame, tracked, tracker.state)
        except KeyboardInterrupt:
            if not live:
                raise
        num_asked = end_of(plan) * reader.info.fps
        lost = [index // plan.stride for index in reader.lost if index < num_asked]
        behind.call(recorder.finish, max(lost, default=-1) + 1)
    if not journal.num_chunks:
        raise VideoError(f"{source}: none of the frames that were asked for could be decoded")
    clip = gather(journal, info, predictor, lost)
    if labels is not None:
        clip = replace(clip, tracks=tuple(t for t in clip.tracks if t.label in labels))
    if plan.overlay:
        if not live:
            redraw_stale_parts(journal, clip, partial(wanted, reader, plan))
        parts = [journal.overlay(chunk) for chunk in range(journal.num_chunks)]
        sound = path if path.is_file() else None
        times = [seconds for seconds in clip.times if seconds is not None]
        join_videos(parts, times, folder / OVERLAY, info.fps, sound)
    write_tracks(clip, folder / TRACKS)
    return clip


def wanted(reader: FrameSource, plan: Plan, start: int = 0) -> Iterator[Frame]:
    """The frames of a clip that are looked at, numbered anew, from one of them on."""
    end, frames = end_of(plan), reader.frames(start * plan.stride)
    for frame in takewhile(lambda frame: frame.seconds < end, frames):
        index, rest = divmod(frame.index, plan.stride)
        if not rest:
            yield replace(frame, index=index)


def end_of(plan: Plan) -> float:
    """Seconds of a clip that are looked at."""
    return float("inf") if plan.seconds is None else plan.seconds


def gather(
    journal: Journal, info: VideoInfo, predictor: AnyPredictor, lost: Sequence[int]
) -> TrackedClip:
    """The tracks that a journal tells of.

    Args:
        journal: of all frames of the clip that could be decoded, at least one.
        info: of the clip.
        predictor: that was used.
        lost: indices of frames that could not be decoded; they are known to have been there if
            they are the last ones, too.
    """
    collector = TrackletCollector(predictor.tracking.min_frames)
    times = list[float | None]()

    def lose_until(index: int) -> None:
        while len(times) < index:
            collector.add([])
            times.append(None)

    for frame in journal.frames():
        lose_until(frame.index)
        collector.add(frame.seen)
        times.append(frame.seconds)
    lose_until(max(lost, default=-1) + 1)
    return TrackedClip(
        info.size, info.fps, tuple(times), predictor.categories, tuple(collector.tracks())
    )
