"""The processes that train or measure together: this one alone, or those that torchrun starts.

What the ranks say to one another is here; that losses have the same normaliser on all of them is
in `qivis.models.distributed_mean`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

# Whatever group there is when it is imported, its functions keep for ever, as a default: threads
# of the group then outlive it, and some ends of the process abort. So it is imported before.
import torch.distributed.nn.functional
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from qivis.shards import Shard, own_shard

LONGEST_WAIT = timedelta(hours=4)  # of ranks for the first, which alone scores a validation set

Item = TypeVar("Item")


@contextmanager
def joined(device: torch.device) -> Iterator[Shard]:
    """This process among those of its training, which talk by NCCL on GPUs, else by Gloo."""
    if own_shard(None) is None:
        yield Shard(0, 1)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    try:
        yield current_shard()
    finally:
        dist.destroy_process_group()


def current_shard() -> Shard:
    """This process among those that it has joined."""
    if not dist.is_initialized():
        return Shard(0, 1)
    return Shard(dist.get_rank(), dist.get_world_size())


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return current_shard().index == 0


def synchronised(training: nn.Module, shard: Shard) -> nn.Module:
    """A module whose backward pass gives all ranks the mean of their gradients."""
    if shard.count == 1:
        return training
    # Statistics of batch norms are of all ranks already, so that no buffers need to be sent.
    return DistributedDataParallel(training, find_unused_parameters=True, broadcast_buffers=False)


def on_any_rank(flags: Sequence[bool], device: torch.device) -> list[bool]:
    """Each flag, whether it is up on any rank."""
    if not dist.is_initialized():
        return list(flags)
    raised = torch.tensor(flags, dtype=torch.int32, device=device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return [bool(flag) for flag in raised.tolist()]


def means_over_ranks(values: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """Each value's mean over the ranks, which have the same names."""
    if not dist.is_initialized():
        return dict(values)
    total = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.all_reduce(total)
    means = (total / dist.get_world_size()).tolist()
    return dict(zip(values, means, strict=True))


def gathered(part: Sequence[Item]) -> list[Item]:
    """On the first rank what all of them have, rank after rank; on the others nothing."""
    shard = current_shard()
    if shard.count == 1:
        return list(part)
    parts: list[list[Item]] | None = [[]] * shard.count if shard.index == 0 else None
    dist.gather_object(list(part), parts)
    return [item for items in parts or () for item in items]
