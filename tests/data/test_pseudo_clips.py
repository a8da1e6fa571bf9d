"""Pictures that become clips."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from qivis.data.pseudo_clips import View, draw_views, label_map, pseudo_clip, relabel, show
from qivis.data.vis_categories import COCO_TO_YOUTUBE_VIS_2019, YOUTUBE_VIS_2019
from qivis.errors import DataError
from qivis.structures import Categories, Category, Sample
from tests.tiny import noise, rectangles

SIZE = (8, 12)
MIDDLE = (6.0, 4.0)


def sample() -> Sample:
    """Two objects: (2, 1) to (5, 4), and the two pixels in the right top corner."""
    targets = rectangles(SIZE, [(2, 1, 5, 4), (10, 0, 12, 1)], [7, 3])
    return Sample(noise(SIZE), targets, torch.tensor([[2.0, 1.0, 5.0, 4.0]]))


def test_the_whole_picture_is_a_view_of_it() -> None:
    before, after = sample(), show(sample(), View(MIDDLE, zoom=1, angle=0), SIZE)
    assert torch.equal(after.image, before.image)
    assert torch.equal(after.targets.masks, before.targets.masks)
    assert torch.equal(after.targets.boxes, before.targets.boxes)
    assert torch.equal(after.ignored, before.ignored)


def test_a_view_beside_the_middle_shows_things_moved_and_black_beyond_the_border() -> None:
    after = show(sample(), View((3.0, 4.0), zoom=1, angle=0), SIZE)
    assert torch.equal(after.image[..., 3:], sample().image[..., :-3])
    assert not after.image[..., :3].any()
    assert after.targets.ids.tolist() == [1]  # the corner is out of view
    assert after.targets.boxes.tolist() == [[5, 1, 8, 4]]
    assert after.ignored.tolist() == [[5, 1, 8, 4]]


def test_objects_at_the_border_end_there_and_regions_out_of_view_are_left_out() -> None:
    after = show(sample(), View((12.0, 4.0), zoom=1, angle=0), SIZE)
    assert after.targets.ids.tolist() == [2]
    assert after.targets.boxes.tolist() == [[4, 0, 6, 1]]
    assert after.ignored.shape == (0, 4)


def test_a_zoomed_view_shows_things_larger() -> None:
    after = show(sample(), View((3.0, 2.0), zoom=2, angle=0), (8, 12))
    assert after.targets.boxes.tolist() == [[4, 2, 10, 8]]
    assert after.targets.masks.sum() == 36
    assert after.ignored.tolist() == [[4, 2, 10, 8]]


def test_a_turned_view_turns_clockwise() -> None:
    after = show(sample(), View(MIDDLE, zoom=1, angle=90), (12, 8))
    assert torch.equal(after.image, sample().image.rot90(-1, dims=(1, 2)))
    assert torch.equal(after.targets.masks, sample().targets.masks.rot90(-1, dims=(1, 2)))
    assert after.targets.boxes.tolist() == [[4, 2, 7, 5], [7, 10, 8, 12]]
    assert after.ignored[0].tolist() == pytest.approx([4, 2, 7, 5], abs=1e-5)


def test_a_picture_without_objects_is_a_clip_without_objects() -> None:
    empty = replace(sample(), targets=sample().targets[:0], ignored=torch.zeros(0, 4))
    clip = pseudo_clip(empty, 3, np.random.default_rng(0))
    assert [len(frame.targets) for frame in clip] == [0, 0, 0]
    assert all(frame.ignored.shape == (0, 4) for frame in clip)


def test_a_clip_keeps_labels_and_ids_and_has_one_size() -> None:
    targets = rectangles((60, 80), [(20, 15, 60, 45), (30, 20, 50, 40)], [5, 2])
    picture = Sample(noise((60, 80)), targets, torch.zeros(0, 4))
    clip = pseudo_clip(picture, 5, np.random.default_rng(1))
    assert len(clip) == 5
    assert len({frame.targets.size for frame in clip}) == 1
    assert len({tuple(frame.targets.boxes[0].tolist()) for frame in clip}) == 5
    for frame in clip:
        assert dict(
            zip(frame.targets.ids.tolist(), frame.targets.labels.tolist(), strict=True)
        ) == {
            1: 5,
            2: 2,
        }


def test_views_lie_in_the_picture_and_within_bounds() -> None:
    for seed in range(50):
        (height, width), views = draw_views((60, 80), 4, np.random.default_rng(seed))
        assert 36 <= height <= 60
        assert 48 <= width <= 80
        for view in views:
            assert 0.85 <= view.zoom <= 1.15
            assert -15 <= view.angle <= 15
            half = width / view.zoom / 2
            assert half <= view.center[0] <= 80 - half or view.center[0] == 40


def test_the_same_generator_gives_the_same_clip() -> None:
    one, two = (pseudo_clip(sample(), 2, np.random.default_rng(4)) for _ in range(2))
    assert all(torch.equal(a.image, b.image) for a, b in zip(one, two, strict=True))


def test_classes_are_mapped_by_their_ids() -> None:
    coco = Categories((Category(1, "person"), Category(13, "stop sign"), Category(18, "dog")))
    labels = label_map(coco, YOUTUBE_VIS_2019, COCO_TO_YOUTUBE_VIS_2019)
    assert labels == {0: 0, 2: 7}  # person and dog are the classes 1 and 8 of 2019


def test_a_map_to_a_class_that_is_not_there_is_refused() -> None:
    coco = Categories((Category(1, "person"),))
    with pytest.raises(DataError, match=r"category 1 \(person\) is mapped to category 9, but"):
        label_map(coco, Categories((Category(2, "cat"),)), {1: 9})


def test_relabelled_objects_are_kept_and_others_left_out() -> None:
    after = relabel(sample(), {3: 0})
    assert after.targets.labels.tolist() == [0]
    assert after.targets.ids.tolist() == [2]
    assert len(relabel(sample(), {}).targets) == 0
