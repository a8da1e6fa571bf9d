"""From a video to tracked masks, frame by frame: nothing here holds more than a few frames."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from qivis.data.video import open_video
from qivis.inference.predictor import Predictor
from qivis.structures import Frame, TrackedDetections
from qivis.tracking import build_tracker

FRAMES_PER_CALL = 4  # enough to keep a GPU busy; a CPU gains nothing from more


def segment_video(
    source: str | Path | Iterable[Frame],
    predictor: Predictor,
    frames_per_call: int = FRAMES_PER_CALL,
) -> Iterator[tuple[Frame, TrackedDetections]]:
    """Find and name the objects of a video.

    Args:
        source: a video file, a folder of pictures, or frames in their order.
        predictor: finds the objects; its tracking settings are used.
        frames_per_call: frames that the network sees at once; more cost memory.

    Yields:
        Each frame, in order, with its objects: on the CPU, in the frame's pixels, best score first.

    Raises:
        VideoError: if the source cannot be opened or decoded.
    """
    tracker = build_tracker(predictor.tracking)
    opened = open_video(source) if isinstance(source, str | Path) else nullcontext(source)
    with opened as frames:
        for chunk in _chunks(frames, frames_per_call):
            found = predictor([frame.image for frame in chunk])
            for frame, detections in zip(chunk, found, strict=True):
                yield frame, tracker.update(detections.to("cpu"))


def _chunks(frames: Iterable[Frame], length: int) -> Iterator[list[Frame]]:
    rest = iter(frames)
    while chunk := list(islice(rest, length)):
        yield chunk
