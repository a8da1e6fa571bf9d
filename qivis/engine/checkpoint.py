"""What a training needs to go on as if it had never stopped, in files that execute nothing.

There are two: the last state, and the one before it, should the last be damaged. Each ends in the
SHA-256 of all that precedes it.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from qivis.errors import DataError, WeightsError
from qivis.files import atomic_path
from qivis.models.plain_load import load_plain
from qivis.models.queryinst import QueryInst
from qivis.models.weights import check_fit
from qivis.structures import Categories

STATE_FILE = "training_state.pt"
STATE_BEFORE = "training_state.before.pt"
DIGEST_BYTES = 32

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a training has come.

    step: steps that are done, those that changed nothing included.
    skipped: of them, those whose loss or gradient was not finite.
    skipped_in_a_row: the last ones of these, with none between.
    """

    step: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0


@dataclass(frozen=True)
class Trained:
    """What changes in a training: weights, their running mean (if there is one), the optimizer."""

    model: QueryInst
    average: AveragedModel | None
    optimizer: Optimizer


def has_state(folder: Path) -> bool:
    """Whether there is something to go on from."""
    return any((folder / name).exists() for name in (STATE_FILE, STATE_BEFORE))


def save_state(folder: Path, progress: Progress, trained: Trained, categories: Categories) -> None:
    """Write the state, whole or not at all; the one that was the last is the one before, then.

    Args:
        folder: of the run.
        progress, trained: what is written.
        categories: the model's classes.

    Raises:
        DataError: if it cannot be written; the last state is as it was.
    """
    state = {
        "progress": asdict(progress),
        "classes": list(categories.names),
        "model": trained.model.state_dict(),
        "average": {} if trained.average is None else trained.average.state_dict(),
        "optimizer": trained.optimizer.state_dict(),
    }
    last = folder / STATE_FILE
    try:
        with atomic_path(last) as partial:
            torch.save(state, partial)
            with partial.open("rb+") as file:
                file.write(hashlib.file_digest(file, "sha256").digest())
                file.flush()
                os.fsync(file.fileno())
            if last.exists():
                last.replace(folder / STATE_BEFORE)
    except (OSError, RuntimeError) as error:  # the latter is torch's, when the disk is full
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        whole = "the checkpoint before it is whole" if has_state(folder) else "there is none yet"
        raise DataError(
            f"{last}: the checkpoint of step {progress.step} cannot be written ({reason}), perhaps "
            f"the disk is full; {whole}: make room, and go on with --resume"
        ) from error


def load_state(folder: Path, trained: Trained, categories: Categories) -> Progress:
    """Restore everything that `save_state` wrote; of a damaged last state, the one before it.

    The optimizer keeps the settings that it was made with, such as its rates and weight decay.

    Args:
        folder: of the run.
        trained: takes it.
        categories: the model's classes.

    Raises:
        WeightsError: if there is no whole state, or it belongs to another configuration.
    """
    path = _last_whole(folder)
    state: dict[str, Any] = load_plain(path)
    try:
        _check_classes(state.get("classes", categories.names), categories.names)
        check_fit(trained.model, state["model"], "its weights")
        trained.model.load_state_dict(state["model"])
        if trained.average is not None:
            trained.average.load_state_dict(state["average"])
        _load_optimizer(trained.optimizer, state["optimizer"])
        return Progress(**{name: _count(value) for name, value in state["progress"].items()})
    except Exception as error:  # a file that something else wrote raises whatever it likes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path}: cannot be resumed from ({reason}); it must be of the same config"
        ) from error


def _check_classes(before: Sequence[str], now: Sequence[str]) -> None:
    """The same number of outputs may mean other classes, or the same ones in another order."""
    for label, (old, new) in enumerate(zip_longest(before, now)):
        if old != new:
            raise ValueError(f"its class {label} is {old!r}, the config's is {new!r}")


def _load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Take over what an optimizer remembers of gradients, and not the settings that it had."""
    settings = [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no number of steps")
    return value


def _last_whole(folder: Path) -> Path:
    for name in (STATE_FILE, STATE_BEFORE):
        path = folder / name
        if not path.exists():
            continue
        if _is_whole(path):
            return path
        log.warning("%s: damaged, its checksum is another", path)
    raise WeightsError(
        f"{folder / STATE_FILE}: cannot be resumed from (damaged, and no whole one before it); "
        "start again with another --out"
    )


def _is_whole(path: Path) -> bool:
    """Whether a file ends in the digest of what precedes it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = path.stat().st_size - DIGEST_BYTES
        while left > 0 and (part := file.read(min(left, 2**20))):
            digest.update(part)
            left -= len(part)
        return left == 0 and file.read() == digest.digest()
