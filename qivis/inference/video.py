"""From a video to tracked masks, frame by frame: nothing here holds more than a few frames."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from qivis.inference.side_by_side import find_side_by_side, one_thread
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
        source: a video file, a folder of pictures, or frames in their order.
        predictor: finds the objects; its tracking settings are used.
        frames_per_call: frames that a GPU sees at once; more cost memory. Halved when it has not
            enough of it. A CPU sees them one by one, several at the same time.

    Yields:
        Each frame, in order, with its objects: on the CPU, in the frame's pixels, best score first.
        What is seen in too few frames to be a track (`TrackingConfig.min_frames`) is among them,
        for only later frames tell.

    Raises:
        ConfigError: if `frames_per_call` is less than 1.
        VideoError: if the source cannot be opened or decoded.
        DataError: if something is no frame, or the device has not enough memory for a single one.
    """
    if frames_per_call < 1:
        raise ConfigError(f"frames_per_call: expected a number from 1 on, got {frames_per_call}")
    opened = open_video(source) if isinstance(source, str | Path) else nullcontext(source)
    with opened as frames:
        yield from segment_frames(
            frames, predictor, build_tracker(predictor.tracking), frames_per_call
        )


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
        found, beside = find_side_by_side(rest, predictor), one_thread
    else:
        found = ahead(_find_in_chunks(rest, predictor, frames_per_call), depth=frames_per_call)
    try:
        for frame, detections in found:
            with beside():
                tracked = tracker.update(detections)
            yield frame, tracked
    finally:
        found.close()
        rest.close()


def _checked(frame: Frame) -> Frame:
    """What the caller hands over, once it is seen to be a frame."""
    image = getattr(frame, "image", None)
    if not (
        isinstance(image, Tensor)
        and image.dtype == torch.uint8
        and image.dim() == 3
        and len(image) == 3
        and image.numel()
    ):
        shape = f"{tuple(image.shape)} {image.dtype}" if isinstance(image, Tensor) else "none"
        raise DataError(
            "expected a Frame whose image is a tensor (3, H, W) of torch.uint8, got "
            f"{type(frame).__name__} with image {shape}"
        )
    return frame


def _find_in_chunks(
    frames: Iterator[Frame], predictor: Finder, frames_per_call: int
) -> Generator[tuple[Frame, Detections], None, None]:
    while chunk := list(islice(frames, frames_per_call)):
        found, frames_per_call = _find(chunk, predictor, frames_per_call)
        yield from zip(chunk, found, strict=True)


def _find(chunk: Sequence[Frame], predictor: Finder, at_once: int) -> tuple[list[Detections], int]:
    """The objects of some frames, on the CPU, and how many frames the device has memory for."""
    images = [frame.image for frame in chunk]
    while True:
        try:
            parts = [images[start : start + at_once] for start in range(0, len(images), at_once)]
            return [one.to("cpu") for part in parts for one in predictor(part)], at_once
        except torch.OutOfMemoryError as error:
            if at_once == 1:
                height, width = chunk[0].size
                raise DataError(
                    f"the device has not enough memory for a frame of {width} x {height} pixels; "
                    "choose a smaller --imgsz, or --device cpu"
                ) from error
            at_once = at_once // 2
