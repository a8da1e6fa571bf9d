"""From the host to a device, without waiting for it."""

import torch
from torch import Tensor


def upload(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device.

    A GPU fetches it from pinned memory while the host goes on; from other memory the host would
    first wait until the GPU has done all that it was asked for before.
    """
    if device.type == "cuda" and values.device.type == "cpu":
        # Not `pin_memory`, which cannot copy a tensor that shows some memory several times.
        values = torch.empty_like(values, pin_memory=True).copy_(values)
    return values.to(device, non_blocking=True)
