"""Numbers of a training: one JSON line each time, and TensorBoard where it is installed."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from qivis.files import write_atomically


class MetricLog:
    """Appends to `metrics.jsonl`; a resumed run drops the lines that it will write again."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Args: folder: of the run. first_step: done already; lines of later steps are dropped."""
        path = folder / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        # A line without its end was being written when the run broke off.
        kept = [line for line in lines if line.endswith("\n") and _step(line) <= first_step]
        write_atomically(path, "".join(kept).encode())
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

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics after a step (the number of steps that are done)."""
        rounded = {name: float(f"{value:.6g}") for name, value in metrics.items()}
        self._file.write(json.dumps({"step": step, **rounded}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, step)


def _step(line: str) -> int:
    return int(json.loads(line)["step"])
