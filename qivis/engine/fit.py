"""The training loop: plain steps with checkpoints, evaluations, and numbers on the way."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from qivis.config.schema import ExperimentConfig, OptimConfig
from qivis.data.loader import BatchOrder, Shard, TrainingClips, training_loader
from qivis.engine.checkpoint import STATE_FILE, load_state, save_state
from qivis.engine.metric_log import MetricLog
from qivis.engine.optim import build_optimizer, set_learning_rate
from qivis.errors import DataError, QivisError
from qivis.files import make_writable
from qivis.models.queryinst import QueryInst
from qivis.models.weights import WeightsHeader, save_weights
from qivis.structures import Batch

log = logging.getLogger(__name__)

WEIGHTS_FILE = "model.safetensors"
LOG_STEPS = 20  # steps that a line of the metrics covers


@dataclass(frozen=True)
class Run:
    """One training.

    training: gives the losses of a batch; its weights are learned.
    model: the network inside it.
    clips: what is learned from.
    header: what the weights files say of themselves.
    evaluate: measures a network.
    folder: where everything is written.
    """

    config: ExperimentConfig
    training: nn.Module
    model: QueryInst
    clips: TrainingClips
    header: WeightsHeader
    evaluate: Callable[[QueryInst], Mapping[str, float]]
    folder: Path
    device: torch.device


def fit(run: Run, *, resume: bool) -> None:
    """Train to the end.

    Args:
        run: what, on what, and where to.
        resume: go on from the folder's last checkpoint, if there is one.

    Raises:
        DataError: if the folder holds a run and `resume` does not say to go on, or cannot be
            written to.
    """
    optim = run.config.optim
    _make_folder(run.folder)
    if not resume and (run.folder / STATE_FILE).exists():
        raise DataError(
            f"{run.folder}: holds a run already; --resume goes on, or choose another --out"
        )
    run.training.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(run.model, optim)
    average = _average(run.model, optim)
    step = 0
    if resume and (run.folder / STATE_FILE).exists():
        step = load_state(run.folder, run.model, average, optimizer)
        log.info("%s: resumed after step %d", run.folder, step)
    _loop(run, optimizer, average, step)


def _make_folder(folder: Path) -> None:
    try:
        make_writable(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written to ({error.strerror}); choose another --out"
        ) from error


def _loop(run: Run, optimizer: Optimizer, average: AveragedModel | None, step: int) -> None:
    optim = run.config.optim
    order = BatchOrder(run.clips.is_wide, optim, first_step=step, shard=Shard())
    per_epoch, last = order.steps_per_epoch, optim.epochs * order.steps_per_epoch
    batches = iter(training_loader(run.clips, order, optim.workers))
    totals = _Totals()
    with (
        MetricLog(run.folder, step) as metrics,
        tqdm(total=last, initial=step, desc="train", dynamic_ncols=True) as bar,
    ):
        while step < last:
            factor = set_learning_rate(optimizer, step, per_epoch, optim)
            losses, norm = _step(run, optimizer, batches)
            if average is not None:
                average.update_parameters(run.model)
            step += 1
            totals.add(losses, norm)
            bar.update()
            if step % LOG_STEPS == 0:
                means = totals.means()
                metrics.write(step, {**means, "lr": optim.lr * factor, "epoch": step / per_epoch})
                bar.set_postfix(loss=f"{means['loss']:.3f}", lr=f"{optim.lr * factor:.1e}")
                totals = _Totals()
            shown = run.model if average is None else cast(QueryInst, average.module)
            if step % optim.checkpoint_steps == 0 or step == last:
                save_weights(run.folder / WEIGHTS_FILE, shown, run.header, torch.float32)
                save_state(run.folder, step, run.model, average, optimizer)
            epoch, within = divmod(step, per_epoch)
            if step == last or (within == 0 and epoch % optim.evaluate_epochs == 0):
                metrics.write(step, run.evaluate(shown))


def _step(
    run: Run, optimizer: Optimizer, batches: Iterator[Batch]
) -> tuple[dict[str, Tensor], Tensor]:
    """One optimizer step: the mean losses over its forward passes, and the gradient's norm.

    Raises:
        QivisError: if the gradient is not finite; the weights are as they were before.
    """
    optim = run.config.optim
    run.training.train()
    optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=run.device))
    for _ in range(optim.accumulate):
        batch = next(batches).to(run.device)
        with torch.autocast(run.device.type, torch.bfloat16, enabled=optim.precision == "bfloat16"):
            losses: dict[str, Tensor] = run.training(batch)
        (torch.stack(list(losses.values())).sum() / optim.accumulate).backward()
        for name, loss in losses.items():
            sums[name] = sums[name] + loss.detach() / optim.accumulate
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), optim.clip_norm)
    if not norm.isfinite():
        raise QivisError(
            f"{run.folder}: the loss is no longer finite; the last checkpoint is from before, a "
            "lower optim.lr may help"
        )
    optimizer.step()
    return sums, norm


def _average(model: QueryInst, config: OptimConfig) -> AveragedModel | None:
    if not config.ema_decay:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))


class _Totals:
    """Losses added up over the steps of one line of the metrics."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._start = time.monotonic()

    def add(self, losses: Mapping[str, Tensor], norm: Tensor) -> None:
        total = torch.stack(list(losses.values())).sum()
        for name, value in {"loss": total, **losses, "gradient_norm": norm}.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._count += 1

    def means(self) -> dict[str, float]:
        seconds = (time.monotonic() - self._start) / self._count
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        return {**means, "seconds_per_step": seconds}
