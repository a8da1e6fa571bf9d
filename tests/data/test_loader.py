"""The order of training: nothing but seed, epoch and position decides it."""

import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from qivis.config.schema import AugmentConfig, OptimConfig
from qivis.data.clip_sources import StillClips
from qivis.data.coco import CocoImages
from qivis.data.loader import (
    BatchOrder,
    SampleKey,
    TrainingClips,
    collate,
    epoch_batches,
    training_loader,
)
from qivis.errors import ConfigError
from qivis.shards import Shard
from qivis.structures import Batch, Clip, Sample, Targets

WIDE = [index % 3 != 0 for index in range(22)]  # 14 wide, 8 high
CONFIG = OptimConfig(batch_size=4, epochs=3)

ALONE = Shard(0, 1)


def order_of(
    config: OptimConfig = CONFIG, first_step: int = 0, shard: Shard = ALONE
) -> list[list[SampleKey]]:
    return list(BatchOrder(lambda _: WIDE, config, first_step=first_step, shard=shard))


def test_every_clip_occurs_in_every_epoch() -> None:
    batches = order_of()
    assert len(batches) == 3 * 6
    for epoch in range(3):
        keys = [key for batch in batches[6 * epoch : 6 * epoch + 6] for key in batch]
        assert {key.epoch for key in keys} == {epoch}
        counts = Counter(key.index for key in keys)
        assert set(counts) == set(range(22))
        assert counts.total() == 24  # two fill up the last batch


def test_epochs_differ() -> None:
    first, second = (epoch_batches(WIDE, 4, seed=0, epoch=epoch) for epoch in (0, 1))
    assert first != second
    assert first == epoch_batches(WIDE, 4, seed=0, epoch=0)
    assert first != epoch_batches(WIDE, 4, seed=1, epoch=0)


@pytest.mark.parametrize("first_step", [1, 5, 6, 7, 17, 18])
def test_an_order_that_starts_late_is_the_rest_of_the_whole(first_step: int) -> None:
    assert order_of(first_step=first_step) == order_of()[first_step:]


def test_clips_of_like_shape_share_a_batch() -> None:
    for epoch in range(5):
        mixed = [
            batch
            for batch in epoch_batches(WIDE, 4, seed=0, epoch=epoch)
            if len({WIDE[index] for index in batch}) > 1
        ]
        # 14 wide and 8 high fill 3 + 2 batches; the last one takes what is left of both.
        assert len(mixed) <= 1


def test_the_mixed_batch_is_not_always_the_last() -> None:
    places = set()
    for epoch in range(20):
        batches = epoch_batches([True] * 5 + [False] * 5, 4, seed=0, epoch=epoch)
        places |= {i for i, batch in enumerate(batches) if len({index < 5 for index in batch}) > 1}
    assert places == {0, 1, 2}


@pytest.mark.parametrize("count", [1, 3], ids=str)
def test_a_set_that_is_smaller_than_a_batch_fills_it(count: int) -> None:
    (batch,) = epoch_batches([True] * count, 8, seed=0, epoch=0)
    assert len(batch) == 8
    assert set(batch) == set(range(count))


def test_shards_and_forward_passes_share_each_batch_out() -> None:
    config = OptimConfig(batch_size=8, accumulate=2, epochs=2)
    whole = order_of(OptimConfig(batch_size=8, epochs=2))
    parts = [order_of(config, shard=Shard(rank, count=2)) for rank in range(2)]
    for step, batch in enumerate(whole):
        passes = [part[2 * step + i] for part in parts for i in range(2)]
        assert [len(keys) for keys in passes] == [2, 2, 2, 2]
        merged = [key for keys in passes for key in keys]
        assert Counter(merged) == Counter(batch)


@pytest.mark.parametrize(("accumulate", "processes"), [(3, 1), (2, 4)], ids=str)
def test_a_batch_that_cannot_be_shared_out_is_refused(accumulate: int, processes: int) -> None:
    config = OptimConfig(batch_size=4, accumulate=accumulate)
    with pytest.raises(ConfigError, match=rf"4 clips .* {accumulate} .* of {processes} processes"):
        order_of(config, shard=Shard(0, processes))


def clips_of(shapes: Path, seed: int = 0) -> TrainingClips:
    images = CocoImages(shapes / "train2017", shapes / "annotations" / "instances_train2017.json")
    config = AugmentConfig(
        canvas_side=64, color_strength=0.5, paste_probability=0.7, flip_probability=0.5
    )
    return TrainingClips([(StillClips(images, range(len(images))), 1.0)], config, seed)


def same(left: Batch, right: Batch) -> bool:
    return (
        len(left.images) == len(right.images)
        and all(torch.equal(a, b) for a, b in zip(left.images, right.images, strict=True))
        and all(
            torch.equal(a.masks, b.masks) and torch.equal(a.boxes, b.boxes)
            for a, b in zip(left.targets, right.targets, strict=True)
        )
    )


def test_a_sample_depends_on_seed_epoch_and_index_alone(shapes: Path) -> None:
    clips, key = clips_of(shapes), SampleKey(epoch=1, index=3)
    first = collate([clips[key]])
    assert clips[SampleKey(0, 0)]
    assert same(collate([clips[key]]), first)
    for other in (clips[SampleKey(2, 3)], clips[SampleKey(1, 4)], clips_of(shapes, 1)[key]):
        assert not same(collate([other]), first)


def test_workers_change_nothing(shapes: Path) -> None:
    clips = clips_of(shapes)
    config = OptimConfig(batch_size=4, epochs=2)
    batches = {
        workers: list(
            training_loader(
                clips, BatchOrder(clips.is_wide, config, first_step=1, shard=Shard(0, 1)), workers
            )
        )
        for workers in (0, 2)
    }
    assert len(batches[0]) == len(batches[2]) == 3
    assert all(same(a, b) for a, b in zip(batches[0], batches[2], strict=True))


def test_a_sigterm_to_all_processes_of_a_job_costs_no_batch(shapes: Path) -> None:
    clips = clips_of(shapes)
    config = OptimConfig(batch_size=2, epochs=8)
    order = BatchOrder(clips.is_wide, config, first_step=0, shard=Shard(0, 1))
    others = set(multiprocessing.active_children())
    batches = iter(training_loader(clips, order, workers=2))
    seen = [next(batches)]  # by now, the first worker listens
    seen.append(next(batches))  # and the second
    workers = set(multiprocessing.active_children()) - others
    assert len(workers) == 2
    for worker in workers:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGTERM)
    seen.extend(batches)
    assert len(seen) == config.epochs * order.steps_per_epoch


def test_clips_know_their_shape(shapes: Path) -> None:
    assert clips_of(shapes).is_wide(0) == [True] * 8


def test_a_batch_holds_the_frames_of_its_clips_in_order(shapes: Path) -> None:
    clips = clips_of(shapes)
    first, second = clips[SampleKey(0, 0)], clips[SampleKey(0, 1)]
    batch = collate([(*first, *first), (*second, *second)])
    assert batch.clip_length == 2
    assert [
        image is sample.image for image, sample in zip(batch.images, (*first, *first), strict=False)
    ]
    assert batch.images[2] is second[0].image
    assert batch.targets[3] is second[0].targets
    assert batch.ignored[2] is second[0].ignored


class Numbered:
    """A source whose clips of one empty frame are as wide as their position says."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def size(self, index: int) -> tuple[int, int]:
        return 8, 8 + index

    def clip(self, index: int, rng: np.random.Generator) -> Clip:
        del rng
        size = self.size(index)
        pixels = torch.zeros(3, *size, dtype=torch.uint8)
        return (Sample(pixels, Targets.empty(size), torch.zeros(0, 4)),)


@pytest.mark.parametrize(("repeat", "least", "most"), [(0.25, 0, 1), (1.5, 1, 2), (2.0, 2, 2)])
def test_a_set_is_seen_as_often_as_its_config_says(repeat: float, least: int, most: int) -> None:
    config = AugmentConfig(flip_probability=0, short_sides=(8,), long_side=99)
    clips = TrainingClips([(Numbered(3), 1.0), (Numbered(20), repeat)], config, seed=0)
    assert len(clips) == 3 + round(20 * repeat)

    def positions(epoch: int) -> list[int]:
        keys = [SampleKey(epoch, index) for index in range(len(clips))]
        return [clips[key][0].targets.size[1] - 8 for key in keys]

    first, second = positions(0), positions(1)
    assert first[:3] == second[:3] == [0, 1, 2]
    counts = Counter(first[3:])
    assert {counts[position] for position in range(20)} == {least, most}
    assert positions(0) == first
    if least != most:
        assert sorted(second) != sorted(first)  # another part in another epoch
