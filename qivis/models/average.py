"""The mean of two networks: of one before and after it has learned something else.

The mean keeps most of what both know (Wortsman et al., "Robust fine-tuning of zero-shot models",
CVPR 2022, arXiv 2109.01903).
"""

from pathlib import Path

import torch

from qivis.errors import WeightsError
from qivis.models.weights import load_weights, save_weights


def average_weights(before: Path, after: Path, out: Path, share: float, dtype: torch.dtype) -> None:
    """Write the mean of two weights files.

    Args:
        before, after: of one architecture; only their association heads may differ.
        out: what is written; its settings and its association head are those of `after`.
        share: of `after` in the mean, 0 to 1.
        dtype: of what is written.

    Raises:
        WeightsError: if a file cannot be used, or the networks differ.
    """
    first, _ = load_weights(before)
    second, header = load_weights(after)
    old, new = first.state_dict(), second.state_dict()
    for name, tensor in new.items():
        if name.startswith("association."):
            continue
        if name not in old or old[name].shape != tensor.shape:
            raise WeightsError(
                f"{before}: has no {name} of the shape that {after} has; expected two networks of "
                "one architecture"
            )
        if tensor.is_floating_point():
            new[name] = torch.lerp(old[name], tensor, share)
    second.load_state_dict(new)
    save_weights(out, second, header, dtype)
