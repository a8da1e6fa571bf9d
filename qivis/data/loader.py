"""Batches for training, in an order that depends on nothing but seed, epoch and position.

There is no state to save: a run that is resumed at step n asks for batch n. Every random draw of a
sample comes from (seed, epoch, index), so any number of workers gives the same samples.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from qivis.config.schema import AugmentConfig, OptimConfig
from qivis.data.augment import augment
from qivis.data.clip_sources import ClipSource
from qivis.errors import ConfigError, QivisError
from qivis.shards import Shard
from qivis.structures import Batch, Clip

Failure = QivisError | OSError  # to read a clip


@dataclass(frozen=True)
class SampleKey:
    """Which clip, and in which epoch: the same clip is changed differently in each."""

    epoch: int
    index: int


class TrainingClips(Dataset[Clip]):
    """The clips of several sources, augmented."""

    def __init__(
        self, sources: Sequence[tuple[ClipSource, float]], config: AugmentConfig, seed: int
    ) -> None:
        """Args: sources: each with how often an epoch sees its clips. seed: of every draw."""
        self._sources = sources
        self._config = config
        self._seed = seed
        self._entries = 0, self._draw_entries(epoch=0)

    def __len__(self) -> int:
        return len(self._entries[1])

    def __getitem__(self, key: SampleKey) -> Clip:
        """The clip of a key, drawn and changed as the key's own random draws say."""
        rng = np.random.default_rng((self._seed, key.epoch, key.index))
        entries = self._entries_of(key.epoch)

        def clip(index: int) -> Clip:
            source, position = entries[index]
            return self._sources[source][0].clip(position, rng)

        return augment(
            clip(key.index),
            self._config,
            rng,
            another=lambda: clip(int(rng.integers(len(self)))),
        )

    def names(self, keys: Sequence[SampleKey]) -> list[str]:
        """What the annotations call the pictures of some clips."""
        entries = [self._entries_of(key.epoch)[key.index] for key in keys]
        return [self._sources[part][0].name(position) for part, position in entries]

    def is_wide(self, epoch: int) -> list[bool]:
        """For each clip of an epoch, whether it is wider than high."""
        sizes = [self._sources[part][0].size(index) for part, index in self._entries_of(epoch)]
        return [width > height for height, width in sizes]

    def _entries_of(self, epoch: int) -> list[tuple[int, int]]:
        if self._entries[0] != epoch:
            self._entries = epoch, self._draw_entries(epoch)
        return self._entries[1]

    def _draw_entries(self, epoch: int) -> list[tuple[int, int]]:
        """Source and position of each clip of an epoch; of every epoch equally many."""
        entries = []
        for part, (source, repeat) in enumerate(self._sources):
            whole, rest = divmod(round(repeat * len(source)), len(source))
            rng = np.random.default_rng((self._seed, epoch, part))
            positions = [*range(len(source))] * whole
            positions += rng.permutation(len(source))[:rest].tolist()
            entries += [(part, position) for position in positions]
        return entries


class BatchOrder(Sampler[list[SampleKey]]):
    """The keys of one process's forward passes, from a step on, over all epochs."""

    def __init__(
        self,
        is_wide: Callable[[int], Sequence[bool]],
        config: OptimConfig,
        *,
        first_step: int,
        shard: Shard,
    ) -> None:
        """Check the batch size.

        Args:
            is_wide: of an epoch, whether each of its clips is wider than high; every epoch has
                equally many.
            config: sizes, epochs, seed.
            first_step: from which the order begins.
            shard: this process among those that train together.

        Raises:
            ConfigError: if a batch cannot be shared out in equal parts.
        """
        if config.batch_size % (config.accumulate * shard.count):
            raise ConfigError(
                f"optim.batch_size: {config.batch_size} clips cannot be shared out equally to "
                f"{config.accumulate} forward passes (optim.accumulate) of {shard.count} processes"
            )
        self._is_wide = is_wide
        self._config = config
        self._first_step = first_step
        self._shard = shard
        self._batches: tuple[int, list[list[int]]] | None = None  # an epoch and its own

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in which every clip is seen once."""
        return -(-len(self._is_wide(0)) // self._config.batch_size)

    def keys(self, step: int) -> list[SampleKey]:
        """Of all clips of a step, on all ranks."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._batches is None or self._batches[0] != epoch:
            config = self._config
            batches = epoch_batches(self._is_wide(epoch), config.batch_size, config.seed, epoch)
            self._batches = epoch, batches
        return [SampleKey(epoch, index) for index in self._batches[1][position]]

    def __iter__(self) -> Iterator[list[SampleKey]]:
        config = self._config
        parts = config.accumulate * self._shard.count
        for step in range(self._first_step, config.epochs * self.steps_per_epoch):
            keys = self.keys(step)
            for part in range(config.accumulate):
                yield keys[part + config.accumulate * self._shard.index :: parts]


def epoch_batches(
    is_wide: Sequence[bool], batch_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """A random order in which clips of like shape share a batch, so that little is padded.

    Every clip occurs; the last batch is filled up from the beginning.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(is_wide)).tolist()
    buckets: dict[bool, list[int]] = {False: [], True: []}
    batches = []
    for index in order:
        bucket = buckets[is_wide[index]]
        bucket.append(index)
        if len(bucket) == batch_size:
            batches.append(bucket.copy())
            bucket.clear()
    rest = list(chain(*buckets.values()))
    for start in range(0, len(rest), batch_size):
        batch = rest[start : start + batch_size]
        while len(batch) < batch_size:
            batch += order[: batch_size - len(batch)]
        batches.append(batch)
    # The mixed batches come last above; shuffled, no epoch ends differently from how it began.
    return [batches[i] for i in rng.permutation(len(batches))]


def collate(clips: Sequence[Clip]) -> Batch:
    """Clips of one length to a batch."""
    samples = [sample for clip in clips for sample in clip]
    return Batch(
        images=tuple(sample.image for sample in samples),
        targets=tuple(sample.targets for sample in samples),
        ignored=tuple(sample.ignored for sample in samples),
        clip_length=len(clips[0]),
    )


@contextmanager
def training_batches(
    clips: TrainingClips, order: BatchOrder, workers: int
) -> Iterator[Iterator[Batch]]:
    """Batches in the given order; the processes that load them end with the block.

    A batch with a clip that cannot be read raises in its turn what the reading did.

    Raises:
        ConfigError: if so many processes cannot be started.
    """
    others = set(multiprocessing.active_children())
    try:
        with _loading(training_loader(clips, order, workers)) as loaded:
            yield _without_failures(loaded)
    finally:
        # What did not end by itself, busy or half-started, would be waited for at the end of this
        # process, for ever: it ignores the signal that it is sent then.
        for worker in set(multiprocessing.active_children()) - others:
            worker.kill()
            worker.join()


def training_loader(
    clips: TrainingClips, order: BatchOrder, workers: int
) -> DataLoader[Clip | Failure]:
    """Batches in the given order, and failures in the places of those that cannot be read."""
    return DataLoader(
        _Read(clips),
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_collate_read,
        worker_init_fn=_outlive_signals,
        persistent_workers=workers > 0,
    )


@contextmanager
def _loading(loader: DataLoader[Clip | Failure]) -> Iterator[Iterator[Batch | Failure]]:
    try:
        loaded = iter(loader)
    except OSError as error:
        raise ConfigError(
            f"optim.workers: {loader.num_workers} processes that load data cannot be started "
            f"({error.strerror}); try fewer"
        ) from error
    try:
        yield loaded
    finally:
        # Not left to the garbage collector: the traceback of an error keeps the iterator.
        if isinstance(loaded, _MultiProcessingDataLoaderIter):
            loaded._shutdown_workers()


def _without_failures(loaded: Iterator[Batch | Failure]) -> Iterator[Batch]:
    for batch in loaded:
        if not isinstance(batch, Batch):
            raise batch
        yield batch


class _Read(Dataset[Clip | Failure]):
    """The clips; a failure to read one is handed over as a value.

    An error that a worker raises would reach the training with a page of traceback as its text.
    """

    def __init__(self, clips: TrainingClips) -> None:
        self._clips = clips

    def __getitem__(self, key: SampleKey) -> Clip | Failure:
        try:
            return self._clips[key]
        except (QivisError, OSError) as error:
            return error


def _collate_read(clips: Sequence[Clip | Failure]) -> Batch | Failure:
    read = [clip for clip in clips if isinstance(clip, tuple)]
    failures = [failure for failure in clips if not isinstance(failure, tuple)]
    return failures[0] if failures else collate(read)


def _outlive_signals(worker: int) -> None:
    """A worker ends with its training, which, asked to end, still has a step to finish.

    Schedulers send SIGTERM to all processes of a job, and Ctrl-C in a terminal sends SIGINT to
    them. PyTorch raises an error in the training, wherever that is, as soon as a worker has died.
    """
    del worker
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
