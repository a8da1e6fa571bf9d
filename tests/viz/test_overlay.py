"""Drawing: what is inside, on and outside an object, and tags that stay in the picture."""

import numpy as np
import pytest
import torch
from torch import Tensor

from qivis.errors import DataError
from qivis.structures import Frame, Sample, Targets, TrackedDetections
from qivis.viz.outline import VEIL
from qivis.viz.overlay import _free_place as free_place
from qivis.viz.overlay import draw, draw_annotated
from qivis.viz.palette import color
from qivis.viz.rect import Rect

NAMES = ("person", "animal", "vehicle")
SIZE = (200, 300)


def grey(value: int = 100, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.full((3, *size), value, dtype=torch.uint8)


def tracked(*boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> TrackedDetections:
    """Objects that fill their boxes, with ids 5, 6, ..."""
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    number = len(boxes)
    return TrackedDetections(
        size=size,
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.arange(number) % 3,
        scores=torch.full((number,), 0.87),
        masks=masks,
        embeddings=torch.zeros(number, 4),
        track_ids=torch.arange(5, 5 + number),
        likeness=torch.ones(number),
    )


def test_a_frame_without_objects_stays_as_it_is() -> None:
    image = torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8)
    drawn = draw(image, tracked(), NAMES)
    assert drawn.shape == (*SIZE, 3)
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, image.permute(1, 2, 0).numpy())


def test_the_frame_itself_is_not_written_to() -> None:
    image = torch.randint(0, 256, (*SIZE, 3), dtype=torch.uint8).permute(2, 0, 1)
    before = image.clone()
    draw(image, tracked((50, 60, 150, 160)), NAMES)
    assert torch.equal(image, before)


def test_a_frame_is_as_good_as_its_image() -> None:
    objects = tracked((50, 60, 150, 160))
    drawn = draw(Frame(grey(), 3, 0.1), objects, NAMES)
    assert np.array_equal(drawn, draw(grey(), objects, NAMES))


def test_without_names_a_tag_is_shorter() -> None:
    objects = tracked((50, 60, 150, 160))
    widths = []
    for names in (NAMES, ()):
        changed = (draw(grey(), objects, names)[:50] != 100).any(axis=(0, 2))
        widths.append(np.flatnonzero(changed).max() - 50)
    assert 0 < widths[1] < widths[0] - 20


@pytest.mark.parametrize(
    ("image", "given"),
    [
        (grey(size=(100, 300)), r"\(3, 100, 300\) torch.uint8"),
        (grey().float(), r"\(3, 200, 300\) torch.float32"),
        (grey().permute(1, 2, 0).numpy(), "ndarray"),
    ],
)
def test_what_is_no_picture_of_the_objects_is_told(image: Tensor, given: str) -> None:
    with pytest.raises(DataError, match=f"of 200 x 300 as the objects, got {given}$"):
        draw(image, tracked((10, 20, 50, 60)), NAMES)


def test_an_object_shines_through_its_veil() -> None:
    drawn = draw(grey(100), tracked((50, 60, 150, 160)), NAMES)
    expected = [100 + VEIL * (value - 100) for value in color(5)]
    assert drawn[110, 100] == pytest.approx(expected, abs=1)
    assert drawn[75, 65] == pytest.approx(expected, abs=1)


def test_the_contour_has_the_colour_of_the_track() -> None:
    drawn = draw(grey(100), tracked((50, 60, 150, 160)), NAMES).astype(int)
    for edge in (drawn[110, 49:51], drawn[110, 149:151], drawn[159:161, 100]):
        assert np.abs(edge - color(5)).sum(axis=1).min() < 60


def test_away_from_object_and_tag_nothing_changes() -> None:
    drawn = draw(grey(100), tracked((50, 60, 150, 160)), NAMES)
    changed = (drawn != 100).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows.min() >= 60 - 25
    assert rows.max() <= 160 + 3
    assert columns.min() >= 50 - 4
    assert columns.max() <= 150 + 4
    assert not changed[:55, 160:].any()


def test_a_small_object_is_drawn_over_a_large_one() -> None:
    drawn = draw(grey(100), tracked((90, 100, 110, 130), (20, 60, 200, 190)), NAMES)
    below = 100 + VEIL * (np.array(color(6)) - 100)
    assert drawn[115, 100] == pytest.approx(below + VEIL * (np.array(color(5)) - below), abs=2)


def test_a_tag_stands_above_its_object() -> None:
    drawn = draw(grey(100), tracked((50, 60, 150, 160)), NAMES).astype(int)
    tag = drawn[40:56, 52:130].reshape(-1, 3)
    assert np.abs(tag - color(5)).sum(axis=1).min() < 40
    assert tag.sum(axis=1).min() < 120  # dark text


@pytest.mark.parametrize(
    "box",
    [(0, 0, 30, 30), (270, 0, 300, 30), (0, 170, 30, 200), (270, 170, 300, 200), (0, 0, 300, 200)],
    ids=["top left", "top right", "bottom left", "bottom right", "whole frame"],
)
def test_tags_stay_within_the_frame(box: tuple[int, int, int, int]) -> None:
    place = free_place((300, 200), (120, 20), Rect(*box), [])
    assert 0 <= place.left < place.right <= 300
    assert 0 <= place.top < place.bottom <= 200
    draw(grey(), tracked(box), NAMES)


def test_tags_make_room_for_one_another() -> None:
    taken: list[Rect] = []
    for _ in range(6):
        place = free_place((300, 200), (90, 18), Rect(100, 60, 140, 160), taken)
        for other in taken:
            apart = place.bottom <= other.top or other.bottom <= place.top
            assert apart or place.right <= other.left or other.right <= place.left
        taken.append(place)


@pytest.mark.parametrize("corner", [(50, 60), (0, 0), (300, 200), (320, 60), (50, 230)], ids=str)
def test_an_object_without_a_pixel_still_has_its_tag(corner: tuple[int, int]) -> None:
    objects = tracked((*corner, *corner))
    assert not objects.masks.any()
    drawn = draw(grey(100), objects, NAMES)
    assert (drawn != 100).any()


@pytest.mark.parametrize("size", [(1, 1), (8, 500), (500, 8)], ids=str)
def test_odd_frames_can_be_drawn_on(size: tuple[int, int]) -> None:
    drawn = draw(grey(100, size), tracked((0, 0, size[1], size[0]), size=size), NAMES)
    assert drawn.shape == (*size, 3)


def test_text_grows_with_the_frame() -> None:
    heights = []
    for scale in (1, 2):
        size = (720 * scale, 1280 * scale)
        box = (600 * scale, 300 * scale, 602 * scale, 302 * scale)
        drawn = draw(grey(100, size), tracked(box, size=size), NAMES)
        rows = np.flatnonzero((drawn != 100).any(axis=(1, 2)))
        heights.append(rows.max() - rows.min())
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.15)


def test_annotated_objects_have_the_colour_of_their_class() -> None:
    objects = tracked((20, 60, 100, 160), (180, 60, 280, 160))
    labels = torch.tensor([2, 2])
    targets = Targets(SIZE, objects.boxes, labels, objects.masks, torch.tensor([70, 71]))
    drawn = draw_annotated(Sample(grey(), targets, torch.zeros(0, 4)), NAMES)
    expected = (1 - VEIL) * 100 + VEIL * np.array(color(2))
    for spot in ((110, 60), (110, 230)):
        assert np.abs(drawn[spot] - expected).max() < 2
