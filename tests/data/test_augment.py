"""Random changes: what they may do, and that frames of a clip share them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.ops import masks_to_boxes

from qivis.config.schema import AugmentConfig
from qivis.data.augment import augment
from qivis.structures import Clip, Sample
from tests.tiny import noise, rectangles

SIZE = (48, 72)
PLAIN = AugmentConfig(flip_probability=0.0, short_sides=(48,), long_side=72)
JITTER = AugmentConfig(canvas_side=40, jitter_range=(0.5, 2.0), color_strength=0.5)
PASTE = replace(JITTER, paste_probability=1.0)


def clip_of(frames: int = 1, seed: int = 0) -> Clip:
    """The same picture again and again."""
    objects = rectangles(SIZE, [(4, 8, 30, 40), (40, 4, 68, 20), (45, 25, 60, 45)], [0, 1, 2])
    sample = Sample(noise(SIZE, seed), objects, torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
    return (sample,) * frames


def change(config: AugmentConfig, seed: int, frames: int = 1) -> Clip:
    rng = np.random.default_rng(seed)
    return augment(clip_of(frames), config, rng, another=lambda: clip_of(seed=1))


def assert_equal(left: Sample, right: Sample) -> None:
    assert torch.equal(left.image, right.image)
    for name in ("boxes", "labels", "masks", "ids"):
        assert torch.equal(getattr(left.targets, name), getattr(right.targets, name)), name
    assert torch.equal(left.ignored, right.ignored)


def test_without_any_chance_of_change_a_clip_stays_as_it_is() -> None:
    assert_equal(change(PLAIN, 0)[0], clip_of()[0])


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(short_sides=(40, 48, 56), long_side=80),
        AugmentConfig(short_sides=(40,), crop_probability=1.0, crop_range=(20, 30)),
        JITTER,
        PASTE,
    ],
    ids=["published", "with crop", "scale jitter", "copy-paste"],
)
def test_the_geometry_of_all_frames_of_a_clip_changes_alike(config: AugmentConfig) -> None:
    for seed in range(5):
        first, second, third = change(replace(config, color_strength=0.0), seed, frames=3)
        assert_equal(first, second)
        assert_equal(first, third)


def test_the_same_draws_give_the_same_clip_and_others_another() -> None:
    assert_equal(change(PASTE, 3)[0], change(PASTE, 3)[0])
    shapes = {
        (tuple(s.image.shape), int(s.image.sum())) for s in (change(PASTE, i)[0] for i in range(6))
    }
    assert len(shapes) == 6


def test_clips_are_mirrored_as_often_as_asked() -> None:
    mirrored = [
        torch.equal(
            change(replace(PLAIN, flip_probability=0.5), seed)[0].image, noise(SIZE).flip(-1)
        )
        for seed in range(60)
    ]
    assert 15 < sum(mirrored) < 45


def test_the_short_side_is_one_of_the_asked_ones() -> None:
    config = replace(PLAIN, short_sides=(32, 40, 96), long_side=100)
    sizes = {change(config, seed)[0].targets.size for seed in range(30)}
    assert sizes == {(32, 48), (40, 60), (67, 100)}


def test_crops_have_the_asked_sides_before_the_last_resize() -> None:
    config = replace(
        PLAIN,
        crop_probability=1.0,
        crop_short_sides=(48,),
        crop_range=(20, 60),
        short_sides=(48,),
        long_side=10_000,
    )
    shapes = [change(config, seed)[0].targets.size for seed in range(40)]
    assert {min(shape) for shape in shapes} == {48}
    # 20 to 48 rows of 20 to 60 columns.
    assert max(width / height for height, width in shapes) <= 60 / 20
    assert min(width / height for height, width in shapes) >= 20 / 48
    assert len(set(shapes)) > 20


def test_scale_jitter_stays_on_the_canvas_with_tight_boxes() -> None:
    sides = []
    for seed in range(40):
        (sample,) = change(JITTER, seed)
        targets = sample.targets
        assert max(targets.size) <= 40
        sides.append(max(targets.size))
        if len(targets):
            tight = masks_to_boxes(targets.masks) + torch.tensor([0.0, 0.0, 1.0, 1.0])
            assert torch.equal(targets.boxes, tight)
            assert (targets.masks.sum((1, 2)) >= 16).all()
    assert min(sides) < 25
    assert sides.count(40) > 10


def test_slivers_are_left_out() -> None:
    objects = rectangles(SIZE, [(0, 0, 4, 4), (10, 10, 15, 13)], [0, 1])  # 16 and 15 pixels
    sample = Sample(noise(SIZE), objects, torch.zeros(0, 4))
    config = AugmentConfig(canvas_side=72, jitter_range=(1.0, 1.0), flip_probability=0.0)
    (changed,) = augment((sample,), config, np.random.default_rng(0), another=clip_of)
    assert changed.targets.labels.tolist() == [0]


def test_pasted_objects_belong_to_the_other_picture() -> None:
    objects = rectangles(SIZE, [(10, 10, 60, 40)], [9])
    red = torch.tensor([200, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, *SIZE)
    other = (Sample(red, objects, torch.zeros(0, 4)),)
    config = replace(PASTE, color_strength=0.0, jitter_range=(1.0, 1.0))
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        (sample,) = augment(clip_of(), config, rng, another=lambda: other)
        is_red = (sample.image == red[:, :1, :1]).all(dim=0)
        pasted = sample.targets.masks[sample.targets.labels == 9].any(dim=0)
        assert torch.equal(is_red, pasted)
        assert not (sample.targets.masks[sample.targets.labels != 9] & pasted).any()
        found += int(pasted.any())
    assert found >= 8


def test_an_object_that_is_covered_almost_wholly_is_left_out() -> None:
    everywhere = rectangles(SIZE, [(0, 0, 72, 48)], [9])
    other = (Sample(noise(SIZE), everywhere, torch.zeros(0, 4)),)
    config = replace(PASTE, jitter_range=(1.0, 1.0))
    for seed in range(30):
        rng = np.random.default_rng(seed)
        (before,) = augment(
            clip_of(), replace(config, paste_probability=0.0), np.random.default_rng(seed), clip_of
        )
        (after,) = augment(clip_of(), config, rng, another=lambda: other)
        areas = dict(
            zip(before.targets.ids.tolist(), before.targets.masks.sum((1, 2)).tolist(), strict=True)
        )
        for number, mask in zip(after.targets.ids.tolist(), after.targets.masks, strict=True):
            if number in areas:
                assert mask.sum() > 0.1 * areas[number]


def test_a_picture_without_objects_has_nothing_to_paste() -> None:
    empty = clip_of()[0].targets[[]]
    other = (replace(clip_of()[0], targets=empty),)
    (sample,) = augment(clip_of(), PASTE, np.random.default_rng(0), another=lambda: other)
    assert set(sample.targets.labels.tolist()) <= {0, 1, 2}


def test_colours_change_and_boxes_do_not() -> None:
    (sample,) = change(replace(PLAIN, color_strength=1.0), 0)
    (before,) = clip_of()
    assert not torch.equal(sample.image, before.image)
    assert_equal(replace(sample, image=before.image), before)


def test_each_frame_of_a_clip_has_its_own_colours() -> None:
    first, second = change(JITTER, 0, frames=2)
    assert not torch.equal(first.image, second.image)
    assert_equal(replace(first, image=second.image), second)
