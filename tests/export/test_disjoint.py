import numpy as np
import pytest
import torch

from qivis.export.disjoint import disjoint_masks, owners
from qivis.ops import rle
from qivis.structures import View

SIZE = (3, 4)


def views(*objects):
    """Objects of (text of rows, score)."""
    masks = [torch.tensor([[c == "#" for c in row] for row in text.split()]) for text, _ in objects]
    encoded = rle.encode(torch.stack(masks))
    return [View(mask, score, 1.0) for mask, (_, score) in zip(encoded, objects, strict=True)]


LEFT, RIGHT, ALL = "##.. ##.. ....", ".### .### ....", "#### #### ####"


def text(mask):
    (pixels,) = rle.decode([mask], SIZE)
    return " ".join("".join(".#"[value] for value in row) for row in pixels.int().tolist())


def test_a_pixel_belongs_to_the_best_score():
    owner = owners(views((LEFT, 0.4), (RIGHT, 0.6)), SIZE)
    assert owner.tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [-1, -1, -1, -1]]


def test_among_equals_the_first_one_owns():
    owner = owners(views((LEFT, 0.5), (RIGHT, 0.5)), SIZE)
    assert owner.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [-1, -1, -1, -1]]


def test_without_objects_nobody_owns_anything():
    assert np.array_equal(owners([], SIZE), np.full(SIZE, -1))
    assert disjoint_masks([], SIZE) == []


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.4, 0.6), ["#... #... ....", RIGHT]),
        ((0.6, 0.4), [LEFT, "..## ..## ...."]),
    ],
    ids=["second is better", "first is better"],
)
def test_masks_lose_what_others_own(scores, expected):
    masks = disjoint_masks(views((LEFT, scores[0]), (RIGHT, scores[1])), SIZE)
    assert [text(mask) for mask in masks] == expected


def test_masks_that_share_nothing_stay_as_they_are():
    seen = views((LEFT, 0.1), ("..## ..## ....", 0.9))
    assert disjoint_masks(seen, SIZE) == [view.mask for view in seen]


def test_of_an_object_under_a_better_one_nothing_is_left():
    masks = disjoint_masks(views((LEFT, 0.4), (ALL, 0.6)), SIZE)
    assert [rle.area(mask) for mask in masks] == [0, 12]
