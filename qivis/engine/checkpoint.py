"""What a training needs to go on as if it had never stopped, in a file that executes nothing."""

from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from qivis.errors import WeightsError
from qivis.files import atomic_path
from qivis.models.queryinst import QueryInst

STATE_FILE = "training_state.pt"


def save_state(
    folder: Path, step: int, model: QueryInst, average: AveragedModel | None, optimizer: Optimizer
) -> None:
    """Write the state after `step` steps, whole or not at all."""
    state = {
        "step": step,
        "model": model.state_dict(),
        "average": {} if average is None else average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    with atomic_path(folder / STATE_FILE) as partial:
        torch.save(state, partial)


def load_state(
    folder: Path, model: QueryInst, average: AveragedModel | None, optimizer: Optimizer
) -> int:
    """Restore everything that `save_state` wrote.

    Returns:
        The number of steps that are done.

    Raises:
        WeightsError: if the file is damaged or belongs to another configuration.
    """
    path = folder / STATE_FILE
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        if average is not None:
            average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])
    except Exception as error:  # damaged files raise whatever the byte they break says
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path}: cannot be resumed from ({reason}); it must be of the same config"
        ) from error
