"""Numbers of a training: one JSON line each time, and TensorBoard where it is installed."""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from qivis.files import write_atomically

log = logging.getLogger(__name__)


class MetricLog:
    """Appends to `metrics.jsonl`; a resumed run drops the lines that it will write again."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Args: folder: of the run. first_step: done already; lines of later steps are dropped."""
        path = folder / "metrics.jsonl"
        kept = [content for content in _whole_lines(path) if content["step"] <= first_step]
        write_atomically(path, "".join(map(_line, kept)).encode())
        self._measured = {content["step"] for content in kept if _is_evaluation(content)}
        self._file = path.open("a")
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._board = None
        else:
            self._board = SummaryWriter(folder / "tensorboard", purge_step=first_step + 1)

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        with suppress(OSError):  # what a full disk left unwritten, and said when it was to be
            self._file.close()
        if self._board is not None:
            self._board.close()

    def is_measured(self, step: int) -> bool:
        """Whether an evaluation after a step has been written."""
        return step in self._measured

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics after a step (the number of steps that are done)."""
        rounded = {name: float(f"{value:.6g}") for name, value in metrics.items()}
        self._file.write(_line({"step": step, **rounded}))
        self._file.flush()
        if _is_evaluation(metrics):
            self._measured.add(step)
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, step)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """What the lines of an earlier run say, without those that are damaged."""
    # A line without its end was being written when the run broke off.
    *lines, _ = path.read_bytes().split(b"\n") if path.exists() else [b""]
    whole = [content for content in map(_read, lines) if content]
    if len(whole) < len(lines):
        log.warning("%s: %d damaged lines are dropped", path, len(lines) - len(whole))
    return whole


def _read(line: bytes) -> dict[str, Any]:
    """What a line says; nothing if it is none that has been written here."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    is_ours = isinstance(content, dict) and type(content.get("step")) is int
    return content if is_ours else {}


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content) + "\n"


def _is_evaluation(metrics: Mapping[str, Any]) -> bool:
    """Lines of a training's steps have its learning rate."""
    return "lr" not in metrics


class Totals:
    """Losses added up over the steps of one line of the metrics."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._start = time.monotonic()

    def add(self, losses: Mapping[str, Tensor], norm: Tensor) -> None:
        """Add one step: its losses by name and the norm of its gradient, scalars."""
        total = torch.stack(list(losses.values())).sum()
        for name, value in {"loss": total, **losses, "gradient_norm": norm}.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._count += 1

    def means(self) -> dict[str, float]:
        """Of the steps that were added; without any, nothing."""
        if not self._count:
            return {}
        seconds = (time.monotonic() - self._start) / self._count
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        return {**means, "seconds_per_step": seconds}
