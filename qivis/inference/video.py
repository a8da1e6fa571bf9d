"""From a video to tracked masks, frame by frame: nothing here holds more than a few chunks."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from qivis.data.video import open_video
from qivis.errors import ConfigError, DataError
from qivis.inference.ahead import ahead
from qivis.inference.onnx_predictor import AnyPredictor
from qivis.inference.predictor import Predictor
from qivis.inference.side_by_side import Found, find_side_by_side, one_thread
from qivis.ops.images import PICTURE, described, is_picture
from qivis.structures import Detections, Frame, TrackedDetections
from qivis.tracking import Tracker, build_tracker

Finder = Callable[[Sequence[Tensor]], list[Detections]]  # as `Predictor` is one
FRAMES_PER_CALL = 4  # enough to keep a GPU busy


def segment_video(
    source: str | Path | Iterable[Frame],
    predictor: AnyPredictor,
    frames_per_call: int = FRAMES_PER_CALL,
) -> Iterator[tuple[Frame, TrackedDetections]]:
    """Find and name the objects of a video.

    Args:
        source: a video file, a folder of pictures, what is live (`"0"` is the first webcam), or
            frames in their order.
        predictor: finds the objects; its tracking settings are used.
        frames_per_call: frames that a GPU sees at once; more cost memory. Halved when it has not
            enough of it. A CPU sees them one by one, several at the same time.

    Yields:
        Each frame, in order, with its objects: on the CPU, in the frame's pixels, best score first.
        What is seen in too few frames to be a track (`TrackingConfig.min_frames`) is among them,
        for only later frames tell.

    Raises:
        ConfigError: if `frames_per_call` is no number from 1 on, or another argument is of a kind
            that there is no use for.
        VideoError: if the source cannot be opened or decoded.
        DataError: if something is no frame, or the device has not enough memory for a single one.
    """
    _check_arguments(source, predictor, frames_per_call)
    gpu = predictor.device if predictor.device.type == "cuda" else None
    opened = open_video(source, gpu=gpu) if isinstance(source, str | Path) else nullcontext(source)
    with opened as frames:
        yield from segment_frames(
            frames, predictor, build_tracker(predictor.tracking), frames_per_call
        )


def _check_arguments(source: object, predictor: object, frames_per_call: object) -> None:
    if not isinstance(source, str | Path | Iterable) or isinstance(source, bytes):
        webcam = f'; a webcam is "{source}"' if isinstance(source, int) else ""
        raise ConfigError(f"source: expected a path, an address or frames, got {source!r}{webcam}")
    if not (callable(predictor) and hasattr(predictor, "tracking")):  # anything that acts as one
        raise ConfigError(f"predictor: expected what load_predictor gives, got {predictor!r}")
    if not isinstance(frames_per_call, int) or frames_per_call < 1:
        raise ConfigError(f"frames_per_call: expected a number from 1 on, got {frames_per_call!r}")


def segment_frames(
    frames: Iterable[Frame], predictor: Finder, tracker: Tracker, frames_per_call: int
) -> Iterator[tuple[Frame, TrackedDetections]]:
    """The same with a tracker that may have seen earlier frames.

    Frames are read, objects found, and identities settled in a thread each, or more.
    """
    on_cpu = isinstance(predictor, AnyPredictor) and predictor.device.type == "cpu"
    if on_cpu:  # which sees them one by one
        frames_per_call = min(frames_per_call, FRAMES_PER_CALL)
    rest = ahead(map(_checked, frames), depth=frames_per_call)
    if isinstance(predictor, Predictor):  # draws no masks that the tracker would not look at
        least = max(predictor.score_threshold, tracker.keep_score)
        predictor = replace(predictor, score_threshold=least)
    beside: Callable[[], AbstractContextManager[None]] = nullcontext
    if on_cpu and isinstance(predictor, Predictor):
        found, beside = _closing(rest, find_side_by_side(rest, predictor)), one_thread
    else:
        in_chunks = _closing(rest, _find_in_chunks(rest, predictor, frames_per_call))
        found = ahead(in_chunks, depth=frames_per_call)
    try:
        for frame, detections in found:
            with beside():
                tracked = tracker.update(detections)
            yield frame, tracked
    finally:
        found.close()


def _closing(
    frames: Generator[Frame, None, None], found: Iterable[Found]
) -> Generator[Found, None, None]:
    """What is found in frames, which are closed at its end.

    By who reads them: a generator cannot be closed while another thread waits for its next item.
    """
    with closing(frames):
        yield from found


def _checked(frame: Frame) -> Frame:
    """What the caller hands over, once it is seen to be a frame."""
    image = getattr(frame, "image", None)
    if not is_picture(image):
        raise DataError(
            f"expected a Frame whose image is {PICTURE}, got {type(frame).__name__} with image "
            f"{described(image)}"
        )
    return frame


def _find_in_chunks(frames: Iterator[Frame], predictor: Finder, at_once: int) -> Iterator[Found]:
    """The objects of frames, on the CPU; of fewer at once when the device lacks memory for them."""
    waiting: list[Frame] = []
    while waiting := waiting or list(islice(frames, at_once)):
        chunk = waiting[:at_once]
        try:
            found = predictor([frame.image for frame in chunk])
        except torch.OutOfMemoryError as error:
            if at_once == 1:
                height, width = chunk[0].size
                raise DataError(
                    f"the device has not enough memory for a frame of {width} x {height} pixels; "
                    "choose a smaller --imgsz, or --device cpu"
                ) from error
            at_once //= 2
            continue
        waiting = waiting[len(chunk) :]
        for frame in chunk:  # what has been fetched does not stay on the device
            yield frame, to_host(found.pop(0))


def to_host(detections: Detections) -> Detections:
    """Detections of a device, fetched from there."""
    return detections.to("cpu")
