"""Layers that take the places of others."""

from collections.abc import Callable

from torch import nn


def replace_layers(parent: nn.Module, faster: Callable[[nn.Module], nn.Module | None]) -> None:
    """Replace parts of a module, in place.

    Args:
        faster: what takes the place of a part; None where only parts of it are replaced, if
            anything.
    """
    for name, child in list(parent.named_children()):
        layer = faster(child)
        if layer is None:
            replace_layers(child, faster)
        else:
            setattr(parent, name, layer)
