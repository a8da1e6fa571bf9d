"""Batch norm over the batches of all ranks."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


class SyncedBatchNorm(nn.BatchNorm2d):
    """`BatchNorm2d` that learns from the statistics of all ranks of a distributed training.

    As `torch.nn.SyncBatchNorm`, which knows no CPUs; alone and for inference it is its base. The
    published networks had the statistics of each GPU, of two pictures, in their mask heads; like
    this, results do not depend on how a batch is shared out.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(P, C, H, W), of any P on each rank, 0 included."""
        if not (self.training and dist.is_available() and dist.is_initialized()):
            alone: Tensor = super().forward(features)
            return alone
        values = features if features.dtype == torch.float64 else features.float()
        size = values.new_tensor([values.numel() / values.shape[1]])
        sums = all_reduce(torch.cat([values.sum((0, 2, 3)), size]))
        count = sums[-1].detach().clamp(min=1)
        mean = sums[:-1] / count
        deviations = values - mean[:, None, None]
        variance = all_reduce(deviations.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        scale = self.weight * (variance + self.eps).rsqrt()
        normed: Tensor = deviations * scale[:, None, None] + self.bias[:, None, None]
        return normed.to(features.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None, "statistics are tracked"
        assert self.running_var is not None, "statistics are tracked"
        assert self.num_batches_tracked is not None, "statistics are tracked"
        assert self.momentum is not None, "the mean is a running one"
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
