"""The training loop: plain steps with checkpoints, evaluations, and numbers on the way."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from qivis.config.schema import ExperimentConfig, OptimConfig
from qivis.data.loader import BatchOrder, TrainingClips, training_batches
from qivis.engine.checkpoint import Progress, Trained, has_state, load_state, save_state
from qivis.engine.metric_log import MetricLog, Totals
from qivis.engine.optim import build_optimizer, set_learning_rate
from qivis.engine.ranks import joined, means_over_ranks, on_any_rank, synchronised
from qivis.engine.step import Step, Stepper
from qivis.engine.stopping import Stopping, StopSignal
from qivis.errors import DataError, QivisError
from qivis.files import locked, make_writable, remove_partial_files
from qivis.models.optimize_training import optimize_training
from qivis.models.queryinst import QueryInst
from qivis.models.weights import WeightsHeader, save_weights
from qivis.shards import Shard, own_shard
from qivis.structures import Batch

log = logging.getLogger(__name__)

WEIGHTS_FILE = "model.safetensors"
LOG_STEPS = 20  # steps that a line of the metrics covers
LOCK_FILE = ".training.lock"
# The processes that load data for a killed training keep its lock until they notice, for five
# seconds (torch's MP_STATUS_CHECK_INTERVAL) and as long as a batch takes.
LOCK_SECONDS = 10.0
MOST_SKIPPED = 10  # steps in a row whose loss or gradient is not finite


@dataclass(frozen=True)
class Run:
    """One training.

    training: gives the losses of a batch; its weights are learned.
    model: the network inside it.
    clips: what is learned from.
    header: what the weights files say of themselves.
    evaluate: measures a network; all ranks of a distributed training call it, and it gives the
        figures to the first.
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
    """Train to the end, or until SIGTERM or Ctrl-C asks to save and stop.

    Under torchrun the processes share out every batch; the first of them writes.

    Args:
        run: what, on what, and where to.
        resume: go on from the folder's last checkpoint, if there is one.

    Raises:
        DataError: if the folder holds a run and `resume` does not say to go on, cannot be written
            to, or another training is at work in it.
        QivisError: if the loss stays infinite or undefined, or data cannot be read; of the latter,
            what was learned before is saved.
        KeyboardInterrupt: after Ctrl-C.
    """
    _make_folder(run.folder)
    with _alone_in(run.folder):
        _fit(run, resume=resume)


def _fit(run: Run, *, resume: bool) -> None:
    if not resume and has_state(run.folder):
        raise DataError(
            f"{run.folder}: holds a run already; --resume goes on, or choose another --out"
        )
    run.training.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = Trained(
        run.model,
        _average(run.model, run.config.optim),
        build_optimizer(run.model, run.config.optim),
    )
    progress = Progress()
    if resume and has_state(run.folder):
        progress = load_state(run.folder, trained, run.header.categories)
        log.info("%s: resumed after step %d", run.folder, progress.step)
    if run.device.type == "cpu":
        optimize_training(run.model)
    with joined(run.device) as shard:
        _Fitting(run, trained, progress, shard).go_on()


def _make_folder(folder: Path) -> None:
    try:
        make_writable(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written to ({error.strerror}); choose another --out"
        ) from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep the folder to this training until the block ends; of several ranks the first does.

    Raises:
        DataError: if another training keeps it.
    """
    shard = own_shard(None)
    with ExitStack() as stack:
        if shard is None or shard.index == 0:
            until = time.monotonic() + LOCK_SECONDS
            while not _enters(stack, folder):
                if time.monotonic() > until:
                    raise DataError(
                        f"{folder}: another training is at work in this folder; wait until it is "
                        "done, or choose another --out"
                    )
                time.sleep(0.1)
        yield


def _enters(stack: ExitStack, folder: Path) -> bool:
    with _writing_to(folder):
        try:
            stack.enter_context(locked(folder / LOCK_FILE))
        except BlockingIOError:
            return False
    return True


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    """In the block, which does nothing else that could fail, files are written.

    Raises:
        DataError: if they cannot be.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written to ({error.strerror}), perhaps the disk is full; the "
            "last checkpoint is whole: make room, and go on with --resume"
        ) from error


def _average(model: QueryInst, config: OptimConfig) -> AveragedModel | None:
    if not config.ema_decay:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))


class _Fitting:
    """A training under way, on one of its ranks."""

    def __init__(self, run: Run, trained: Trained, progress: Progress, shard: Shard) -> None:
        optim = run.config.optim
        self._run, self._trained, self._progress = run, trained, progress
        self._is_writer = shard.index == 0
        self._stopping = Stopping()
        self._order = BatchOrder(run.clips.is_wide, optim, first_step=progress.step, shard=shard)
        self._last = optim.epochs * self._order.steps_per_epoch
        self._stepper = Stepper(
            synchronised(run.training, shard), trained, optim, run.device, shard.index
        )
        self._totals = Totals()
        self._metrics: MetricLog | None = None
        self._saved = progress.step  # the step of the last checkpoint

    def go_on(self) -> None:
        """Do the steps that are left.

        Raises:
            KeyboardInterrupt: if Ctrl-C ended them early.
        """
        with ExitStack() as stack:
            stack.enter_context(self._stopping.listening())
            if self._is_writer:
                self._metrics = stack.enter_context(self._opened_log())
            bar = stack.enter_context(
                tqdm(
                    total=self._last,
                    initial=self._progress.step,
                    desc="train",
                    dynamic_ncols=True,
                    disable=not self._is_writer,
                )
            )
            try:
                self._steps(stack.enter_context(self._batches()), bar)
            except StopSignal:
                self._save()
                log.warning(
                    "%s: asked to end, saved after step %d; --resume goes on",
                    self._run.folder,
                    self._progress.step,
                )
                if self._stopping.is_interrupted:
                    raise KeyboardInterrupt from None

    def _opened_log(self) -> MetricLog:
        with _writing_to(self._run.folder):
            remove_partial_files(self._run.folder)
            return MetricLog(self._run.folder, self._progress.step)

    def _batches(self) -> AbstractContextManager[Iterator[Batch]]:
        if self._progress.step == self._last:
            return nullcontext(iter(()))
        return training_batches(self._run.clips, self._order, self._run.config.optim.workers)

    def _steps(self, batches: Iterator[Batch], bar: "tqdm[Any]") -> None:
        optim, progress = self._run.config.optim, self._progress
        self._evaluate_if_due()  # what the run broke off before, if it did
        while progress.step < self._last:
            factor = set_learning_rate(
                self._trained.optimizer, progress.step, self._order.steps_per_epoch, optim
            )
            with self._kept_at_failure():
                step = self._stepper.step(batches, progress.step, self._stopping)
            progress.step += 1
            self._note(step)
            bar.update()
            if progress.step % LOG_STEPS == 0:
                self._write_line(optim.lr * factor, bar)
            if progress.step % optim.checkpoint_steps == 0 or progress.step == self._last:
                self._save()
            self._evaluate_if_due()
            if step.is_last:
                raise StopSignal

    @contextmanager
    def _kept_at_failure(self) -> Iterator[None]:
        """Whatever fails in the block, such as a picture, the steps before it are not lost."""
        try:
            yield
        except Exception:
            if self._stepper.is_between_steps:
                self._save()
            raise

    def _note(self, step: Step) -> None:
        """Count a step.

        Raises:
            QivisError: if too many in a row had no finite loss.
        """
        progress = self._progress
        if step.is_finite:
            progress.skipped_in_a_row = 0
            self._totals.add(step.losses, step.norm)
            return
        progress.skipped += 1
        progress.skipped_in_a_row += 1
        names = ", ".join(self._run.clips.names(self._order.keys(progress.step - 1)))
        log.warning(
            "step %d is skipped, the %d. in all: its loss or gradient is not finite (%s), with %s",
            progress.step,
            progress.skipped,
            ", ".join(f"{name} {value:.3g}" for name, value in step.losses.items()),
            names,
        )
        if progress.skipped_in_a_row == MOST_SKIPPED:
            self._give_up(names)

    def _give_up(self, names: str) -> None:
        progress, folder = self._progress, self._run.folder
        progress.skipped_in_a_row = 0  # who resumes has as many more
        kept = f"the last checkpoint is of step {self._saved}"
        if all(bool(weight.isfinite().all()) for weight in self._run.model.parameters()):
            self._save()
            kept = f"a checkpoint of step {progress.step} is saved"
        raise QivisError(
            f"{folder}: the loss is no longer finite, {MOST_SKIPPED} steps in a row, the last with "
            f"{names}; {kept}. A lower optim.lr may help, or tools/check_data.py"
        )

    def _write_line(self, lr: float, bar: "tqdm[Any]") -> None:
        progress = self._progress
        means = means_over_ranks(self._totals.means(), self._run.device)
        self._totals = Totals()
        line = {**means, "lr": lr, "epoch": progress.step / self._order.steps_per_epoch}
        if progress.skipped:
            line["skipped"] = progress.skipped
        self._write(progress.step, line)
        if "loss" in means:
            bar.set_postfix(loss=f"{means['loss']:.3f}", lr=f"{lr:.1e}")

    def _write(self, step: int, metrics: Mapping[str, float]) -> None:
        if self._metrics is not None:
            with _writing_to(self._run.folder):
                self._metrics.write(step, metrics)

    @property
    def _shown(self) -> QueryInst:
        """What is measured and stored."""
        average = self._trained.average
        return self._run.model if average is None else cast(QueryInst, average.module)

    def _save(self) -> None:
        if not self._is_writer or self._saved == self._progress.step:
            return
        folder = self._run.folder
        header = self._run.header
        with _writing_to(folder):
            save_weights(folder / WEIGHTS_FILE, self._shown, header, torch.float32)
        save_state(folder, self._progress, self._trained, header.categories)
        self._saved = self._progress.step

    def _evaluate_if_due(self) -> None:
        step, optim = self._progress.step, self._run.config.optim
        epoch, within = divmod(step, self._order.steps_per_epoch)
        is_due = step == self._last or (within == 0 and epoch % optim.evaluate_epochs == 0)
        is_missing = self._metrics is not None and not self._metrics.is_measured(step)
        (is_missing,) = on_any_rank([is_missing], self._run.device)
        if not (step and is_due and is_missing):
            return
        with self._kept_at_failure(), self._stopping.at_once():
            figures = self._run.evaluate(self._shown)
        self._write(step, figures)
