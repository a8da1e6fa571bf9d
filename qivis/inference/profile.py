"""Where the time of a run goes, stage by stage.

While a profile watches, the functions of the stages are replaced by timed ones; else nothing of it
is there, and it costs nothing.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from time import perf_counter
from typing import Any

import torch

from qivis.inference import onnx_predictor, predictor, recorder, run, video
from qivis.inference.onnx_predictor import OnnxPredictor
from qivis.models import postprocess
from qivis.models.box_stage import BoxStage
from qivis.models.optimize import FusedFeatures
from qivis.models.queryinst import QueryInst
from qivis.tracking import Tracker
from qivis.viz import VideoWriter

# Stage, who runs it, and the function that is timed.
STAGES: tuple[tuple[str, object, str], ...] = (
    ("decode", run, "wanted"),
    ("resize", predictor, "resize_for_test"),
    ("resize", onnx_predictor, "resize"),
    ("upload, normalise", predictor, "upload"),
    ("upload, normalise", predictor, "prepare"),
    ("ONNX Runtime", OnnxPredictor, "_run"),
    ("backbone, pyramid", FusedFeatures, "forward"),
    ("refinement stages", BoxStage, "forward"),
    ("mask head", QueryInst, "mask_logits"),
    ("embeddings", QueryInst, "embeddings"),
    ("paste masks", postprocess, "paste_masks"),
    ("paste masks", onnx_predictor, "paste_masks"),
    ("fetch from device", video, "to_host"),
    ("tracking", Tracker, "update"),
    ("run lengths", recorder, "views_of"),
    ("draw", recorder, "draw"),
    ("encode H.264", VideoWriter, "write"),
    ("put together", run, "gather"),
    ("join overlay", run, "join_videos"),
)


class Profile:
    """Adds up the time that is spent in each stage."""

    def __init__(self, device: torch.device) -> None:
        """Args: device: of the network; what it is given is waited for, so that times are true."""
        self._device = device
        self._seconds = {stage: 0.0 for stage, *_ in STAGES}
        self._lock = Lock()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block runs, time is counted; of one profile at a time."""
        with ExitStack() as stack:
            for stage, owner, name in STAGES:
                function = getattr(owner, name)
                gives_items = inspect.isgeneratorfunction(function)
                timed = self._timed_items if gives_items else self._timed
                setattr(owner, name, timed(stage, function))
                stack.callback(setattr, owner, name, function)
            started = perf_counter()
            yield
            self._total = perf_counter() - started

    def table(self, num_frames: int) -> str:
        """Milliseconds a frame of each stage, and their share of the time that the run took.

        Stages overlap in threads, and those of the network run for several frames at the same
        time, so that shares add up to more than all. Stages that did not occur are left out.
        """
        lines = [f"{'':19}{'ms a frame':>11}{'share':>8}"]
        spent = [(stage, seconds) for stage, seconds in self._seconds.items() if seconds]
        for stage, seconds in (*spent, ("the whole run", self._total)):
            each = 1000 * seconds / max(num_frames, 1)
            lines.append(f"{stage:19}{each:11.2f}{seconds / self._total:8.0%}")
        return "\n".join(lines)

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            started = self._now()
            try:
                return function(*args, **kwargs)
            finally:
                self._add(stage, started)

        return call

    def _timed_items(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Of a function that gives an iterator, the time in which its items come to be."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items = iter(function(*args, **kwargs))
            following = self._timed(stage, functools.partial(next, items, None))
            return iter(following, None)

        return call

    def _add(self, stage: str, started: float) -> None:
        seconds = self._now() - started
        with self._lock:
            self._seconds[stage] += seconds

    def _now(self) -> float:
        """With a GPU, when all that it was given is done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return perf_counter()
