"""Numbers of a training: one JSON line each time, and TensorBoard where it is installed."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from qivis.files import write_atomically


class MetricLog:
    """Appends to `metrics.jsonl`; a resumed run drops the lines that it will write again."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Args: folder: of the run. first_step: done already; lines of later steps are dropped."""
        path = folder / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        # A line without its end was being written when the run broke off.
        whole = [(line, json.loads(line)) for line in lines if line.endswith("\n")]
        kept = [(line, content) for line, content in whole if content["step"] <= first_step]
        write_atomically(path, "".join(line for line, _ in kept).encode())
        self._measured = {content["step"] for _, content in kept if _is_evaluation(content)}
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
        self._file.close()
        if self._board is not None:
            self._board.close()

    def is_measured(self, step: int) -> bool:
        """Whether an evaluation after a step has been written."""
        return step in self._measured

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics after a step (the number of steps that are done)."""
        rounded = {name: float(f"{value:.6g}") for name, value in metrics.items()}
        self._file.write(json.dumps({"step": step, **rounded}) + "\n")
        self._file.flush()
        if _is_evaluation(metrics):
            self._measured.add(step)
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, step)


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
