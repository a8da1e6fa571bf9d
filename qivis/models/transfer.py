"""Weights of one network as the start of another, with other classes or a new association head."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from qivis.errors import WeightsError
from qivis.models.queryinst import QueryInst
from qivis.structures import Categories

# One row for each class; no other layer knows of classes.
_CLASS_LAYER = re.compile(r"(^|[._])logits\.(weight|bias)$")
_ASSOCIATION = "association."


@torch.no_grad()
def transfer(
    source: QueryInst, old: Categories, target: QueryInst, new: Categories
) -> tuple[str, ...]:
    """Start a network from another one.

    Classes of the same name (`tennis racket` is `tennis_racket`) keep their rows of the class
    layers; those of other classes stay as they are in `target`. So does the association head,
    unless `source` has the same.

    Args:
        source: with all mask heads.
        old: its classes.
        target: changed in place.
        new: its classes.

    Returns:
        The names of the classes that were taken over.

    Raises:
        WeightsError: if the networks differ in more than classes and association.
    """
    image, association = _parts(source)
    into, into_association = _parts(target)
    differing = sorted(
        name for name in image.keys() | into.keys() if _shape(image, name) != _shape(into, name)
    )
    if differing:
        raise WeightsError(
            f"{len(differing)} of their weights differ in shape, {differing[0]} for one"
        )
    rows = {_plain(name): row for row, name in enumerate(old.names)}
    pairs = [(row, rows[_plain(n)]) for row, n in enumerate(new.names) if _plain(n) in rows]
    own, theirs = [row for row, _ in pairs], [row for _, row in pairs]
    for name, tensor in into.items():
        if _CLASS_LAYER.search(name):
            tensor[own] = image[name][theirs]
        else:
            tensor.copy_(image[name])
    if {n: t.shape for n, t in association.items()} == {
        n: t.shape for n, t in into_association.items()
    }:
        for name, tensor in into_association.items():
            tensor.copy_(association[name])
    return tuple(new.names[row] for row in own)


def _parts(model: QueryInst) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights by name: those of the image model, and those of the association head."""
    state = model.state_dict()
    association = {name: t for name, t in state.items() if name.startswith(_ASSOCIATION)}
    return {name: t for name, t in state.items() if name not in association}, association


def _shape(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    """The shape of a weight, for one class; None for one that is not there."""
    if name not in tensors:
        return None
    shape = tuple(tensors[name].shape)
    return shape[1:] if _CLASS_LAYER.search(name) else shape


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")
