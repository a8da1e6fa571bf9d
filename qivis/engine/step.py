"""One optimizer step, on all ranks alike: taken where all numbers are finite, else skipped."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from qivis.config.schema import OptimConfig
from qivis.engine.checkpoint import Trained
from qivis.engine.ranks import on_any_rank
from qivis.engine.stopping import Stopping, StopSignal
from qivis.structures import Batch


@dataclass(frozen=True)
class Step:
    """What came of a step.

    losses: weighted scalars by name, the means over this rank's forward passes.
    norm: scalar, of the gradient before it was clipped.
    is_finite: whether they were finite on all ranks; if not, nothing was learned.
    is_last: whether a rank was asked to end.
    """

    losses: Mapping[str, Tensor]
    norm: Tensor
    is_finite: bool
    is_last: bool


class Stepper:
    """Learns from batches.

    is_between_steps: whether what is trained is that of whole steps; not so while the optimizer is
        at work, and after it has failed.
    """

    def __init__(
        self,
        training: nn.Module,
        trained: Trained,
        config: OptimConfig,
        device: torch.device,
        rank: int,
    ) -> None:
        """Args: training: gives the losses of a batch; of several ranks, with DDP around it."""
        self.is_between_steps = True
        self._training = training
        self._trained = trained
        self._config = config
        self._device = device
        self._rank = rank

    def step(self, batches: Iterator[Batch], number: int, stopping: Stopping) -> Step:
        """Learn from the next batches, as many as make up a step.

        Args:
            batches: of this rank.
            number: of steps that are done.
            stopping: is looked at when the step is.

        Raises:
            StopSignal: if what loads the batches was told to end, as the process was.
            QivisError, OSError: if a clip cannot be read.
        """
        trained = self._trained
        self._training.train()
        trained.optimizer.zero_grad(set_to_none=True)
        # Random draws of the network, too, depend on the step alone, and not on what came before.
        seeds = np.random.SeedSequence((self._config.seed, number, self._rank))
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        statistics = [(moving, moving.clone()) for moving in _statistics(trained.model)]
        try:
            losses = self._losses(batches, stopping)
            norm = nn.utils.clip_grad_norm_(trained.model.parameters(), self._config.clip_norm)
            is_finite = bool(torch.stack([*losses.values(), norm]).isfinite().all())
            is_broken, is_last = on_any_rank([not is_finite, stopping.is_asked], self._device)
        except BaseException:
            _restore(statistics)
            raise
        if is_broken:
            _restore(statistics)
        else:
            self._update()
        return Step(losses, norm, not is_broken, is_last)

    def _update(self) -> None:
        trained = self._trained
        self.is_between_steps = False
        trained.optimizer.step()
        if trained.average is not None:
            trained.average.update_parameters(trained.model)
        self.is_between_steps = True

    def _losses(self, batches: Iterator[Batch], stopping: Stopping) -> dict[str, Tensor]:
        """The mean losses over the forward passes; their gradients are made, too."""
        passes = self._config.accumulate
        sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self._device))
        half = self._config.precision == "bfloat16"
        for index in range(passes):
            batch = _next(batches, stopping).to(self._device)
            with self._speaking(index == passes - 1):
                with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
                    losses: dict[str, Tensor] = self._training(batch)
                (torch.stack(list(losses.values())).sum() / passes).backward()
            for name, loss in losses.items():
                sums[name] = sums[name] + loss.detach() / passes
        return sums

    def _speaking(self, with_others: bool) -> AbstractContextManager[None]:
        """Ranks add up their gradients once a step."""
        if with_others or not isinstance(self._training, DistributedDataParallel):
            return nullcontext()
        return cast("AbstractContextManager[None]", self._training.no_sync())


def _next(batches: Iterator[Batch], stopping: Stopping) -> Batch:
    try:
        return next(batches)
    except RuntimeError as error:
        # What loads outlives a signal to the whole group, but the server that forked it does not,
        # where there is one (multiprocessing's `forkserver`); and without that it ends.
        if stopping.is_asked:
            raise StopSignal from error
        raise


def _statistics(model: nn.Module) -> list[Tensor]:
    """What batch norms learn by the forward pass alone."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d) and part.training]
    return [buffer for norm in norms for buffer in norm.buffers()]


def _restore(kept: list[tuple[Tensor, Tensor]]) -> None:
    for moving, before in kept:
        moving.copy_(before)
