"""What a tracker knows after a frame, and the same as plain arrays, from which it can go on."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from qivis.tracking.memory import TrackMemory


@dataclass(frozen=True)
class TrackerState:
    """memory: None before the first frame. next_id: of the next track that is born."""

    memory: TrackMemory | None = None
    next_id: int = 0


def to_arrays(state: TrackerState) -> dict[str, NDArray[np.generic]]:
    """A state as named arrays, exactly; `from_arrays` reads them."""
    arrays: dict[str, NDArray[np.generic]] = {"next_id": np.array(state.next_id)}
    if state.memory is not None:
        rows = {name: value for name, value in vars(state.memory).items() if name != "size"}
        arrays |= {name: tensor.numpy() for name, tensor in rows.items()}
        arrays["size"] = np.array(state.memory.size)
    return arrays


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> TrackerState:
    """The state that `to_arrays` was given.

    Raises:
        KeyError: if an array is missing.
    """
    next_id = int(arrays["next_id"])
    if "size" not in arrays:
        return TrackerState(None, next_id)
    height, width = (int(side) for side in arrays["size"])
    names = [field.name for field in fields(TrackMemory) if field.name != "size"]
    rows = {name: torch.from_numpy(np.array(arrays[name])) for name in names}
    return TrackerState(TrackMemory(size=(height, width), **rows), next_id)
