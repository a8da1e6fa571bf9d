"""Loss normalisers are means over all processes, so that ranks weigh objects alike."""

import torch.distributed
from torch import Tensor


def mean_over_ranks(count: Tensor) -> Tensor:
    """The mean of a scalar over the ranks of a distributed training; itself where there is one."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return count
    total = count.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()
