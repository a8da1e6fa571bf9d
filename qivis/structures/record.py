"""Rows of tensors that are indexed, counted and moved together."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Record:
    """N rows seen on one pixel grid; every tensor field has N entries along its first dimension.

    size: (H, W) of the grid that boxes and masks refer to.
    """

    size: tuple[int, int]

    def __len__(self) -> int:
        return next(iter(self._tensors().values())).shape[0]

    def __getitem__(self, rows: Tensor | slice | list[int]) -> Self:
        """The chosen rows: a bool mask (N,), indices (P,) in any order, or a slice."""
        return self._with({name: tensor[rows] for name, tensor in self._tensors().items()})

    def only(self, chosen: Tensor) -> Self:
        """The rows that are chosen by a bool mask (N,); for all of them, nothing is copied."""
        return self if bool(chosen.all()) else self[chosen.nonzero()[:, 0]]

    def to(self, device: torch.device | str) -> Self:
        """The same rows with every tensor on `device`."""
        return self._with({name: moved(one, device) for name, one in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    def _with(self, tensors: Mapping[str, Any]) -> Self:
        return replace(self, **tensors)


def moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on a device; nobody waits but towards the CPU, where its values may be read."""
    return tensor.to(device, non_blocking=torch.device(device).type != "cpu")
