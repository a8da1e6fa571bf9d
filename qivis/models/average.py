"""The mean of two networks: of one before and after it has learned something else.

The mean keeps most of what both know (Wortsman et al., "Robust fine-tuning of zero-shot models",
CVPR 2022, arXiv 2109.01903).
"""

from pathlib import Path
from typing import Any

import torch

from qivis.config import to_dict
from qivis.config.typed import shown
from qivis.errors import WeightsError
from qivis.models.weights import WeightsHeader, load_weights, save_weights

OWN = ("association", "embedding_width")  # settings of the association head alone


def average_weights(before: Path, after: Path, out: Path, share: float, dtype: torch.dtype) -> None:
    """Write the mean of two weights files.

    Args:
        before, after: of one architecture, for the same classes and inputs; only their association
            heads may differ.
        out: what is written; its settings and its association head are those of `after`.
        share: of `after` in the mean, 0 to 1.
        dtype: of what is written.

    Raises:
        WeightsError: if a file cannot be used, the networks differ, or the mean cannot be written.
    """
    first, old_header = load_weights(before)
    second, header = load_weights(after)
    _check_same(_traits(old_header), _traits(header), before, after)
    old, new = first.state_dict(), second.state_dict()
    for name, tensor in new.items():
        if tensor.is_floating_point() and not name.startswith("association."):
            new[name] = torch.lerp(old[name], tensor, share)
    second.load_state_dict(new)
    try:
        save_weights(out, second, header, dtype)
    except OSError as error:
        raise WeightsError(f"{out}: cannot be written ({error.strerror})") from error


def _traits(header: WeightsHeader) -> dict[str, Any]:
    """What two networks must have in common, lest the mean of their weights means nothing."""
    model = {name: value for name, value in to_dict(header.model).items() if name not in OWN}
    others = {"classes": header.categories.names, "inference_only": header.inference_only}
    return model | to_dict(header.input) | others


def _check_same(old: dict[str, Any], new: dict[str, Any], before: Path, after: Path) -> None:
    for name, value in new.items():
        if old[name] != value:
            raise WeightsError(
                f"{before}: {name} is {shown(old[name])}, but {shown(value)} in {after}; expected "
                "two networks of one architecture, for the same classes and inputs"
            )
