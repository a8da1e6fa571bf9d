"""Pixels, boxes, masks and ignored regions move together."""

import pytest
import torch

from qivis.data import geometry
from qivis.structures import Sample, Targets
from tests.tiny import noise, rectangles

SIZE = (40, 60)


def sample_of(targets: Targets, ignored: list[list[float]] | None = None) -> Sample:
    """Each object is as bright as its number, so that pixels and masks can be compared."""
    image = torch.zeros(3, *targets.size, dtype=torch.uint8)
    for mask, number in zip(targets.masks, targets.ids, strict=True):
        image[:, mask] = 50 * number.to(torch.uint8)
    return Sample(image, targets, torch.tensor(ignored or [], dtype=torch.float32).reshape(-1, 4))


@pytest.fixture
def sample() -> Sample:
    objects = rectangles(SIZE, [(4, 8, 20, 32), (30, 0, 60, 12)], [2, 0])
    return sample_of(objects, [[0, 30, 10, 40]])


def tight_boxes(targets: Targets) -> list[list[float]]:
    """Around the set pixels of each mask."""
    boxes = []
    for mask in targets.masks:
        rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return [[float(value) for value in box] for box in boxes]


def assert_consistent(sample: Sample, tolerance: float = 0.0) -> None:
    targets = sample.targets
    assert tuple(sample.image.shape[1:]) == targets.size == tuple(targets.masks.shape[1:])
    found = torch.tensor(tight_boxes(targets)).reshape(-1, 4)
    assert torch.allclose(found, targets.boxes, atol=tolerance)
    if not tolerance:
        for mask, number in zip(targets.masks, targets.ids, strict=True):
            assert torch.equal(sample.image[0] == 50 * number, mask)


@pytest.mark.parametrize("size", [(80, 120), (120, 120), (97, 133), (30, 45), (13, 50)], ids=str)
def test_resizing_moves_everything(sample: Sample, size: tuple[int, int]) -> None:
    resized = geometry.resize(sample, size)
    assert_consistent(resized, tolerance=1.0)
    vertical, horizontal = size[0] / 40, size[1] / 60
    expected = [4 * horizontal, 8 * vertical, 20 * horizontal, 32 * vertical]
    assert resized.targets.boxes[0].tolist() == pytest.approx(expected)
    assert resized.ignored[0].tolist() == pytest.approx(
        [0, 30 * vertical, 10 * horizontal, 40 * vertical]
    )
    assert resized.targets.labels.tolist() == [2, 0]


def test_doubling_doubles_every_pixel_of_the_masks(sample: Sample) -> None:
    masks = geometry.resize(sample, (80, 120)).targets.masks
    assert torch.equal(masks, sample.targets.masks.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_the_same_size_is_left_alone(sample: Sample) -> None:
    assert geometry.resize(sample, SIZE) is sample


def test_mirroring_moves_everything(sample: Sample) -> None:
    mirrored = geometry.mirror(sample)
    assert_consistent(mirrored)
    assert mirrored.targets.boxes.tolist() == [[40, 8, 56, 32], [0, 0, 30, 12]]
    assert mirrored.ignored.tolist() == [[50, 30, 60, 40]]


def test_mirroring_twice_changes_nothing(sample: Sample) -> None:
    twice = geometry.mirror(geometry.mirror(sample))
    assert torch.equal(twice.image, sample.image)
    assert torch.equal(twice.targets.masks, sample.targets.masks)
    assert torch.equal(twice.targets.boxes, sample.targets.boxes)


def test_cropping_cuts_everything_and_leaves_out_what_is_outside(sample: Sample) -> None:
    cropped = geometry.crop(sample, (10, 4, 28, 24))
    assert_consistent(cropped)
    assert cropped.targets.size == (20, 18)
    assert cropped.targets.boxes.tolist() == [[0, 4, 10, 20]]
    assert cropped.targets.ids.tolist() == [1]
    assert cropped.ignored.shape == (0, 4)


def test_cropping_keeps_what_is_left_of_an_ignored_region(sample: Sample) -> None:
    cropped = geometry.crop(sample, (5, 0, 60, 35))
    assert cropped.ignored.tolist() == [[0, 30, 5, 35]]


def test_tight_boxes_leave_out_what_is_gone() -> None:
    targets = rectangles(SIZE, [(4, 8, 20, 32), (30, 0, 60, 12)], [2, 0])
    targets.masks[0] = False
    targets.masks[1, :, 50:] = False
    tight = geometry.tighten(targets)
    assert tight.boxes.tolist() == [[30, 0, 50, 12]]
    assert tight.labels.tolist() == [0]
    assert len(geometry.tighten(Targets.empty(SIZE))) == 0


def test_a_pasted_object_hides_what_is_below() -> None:
    below = sample_of(rectangles(SIZE, [(0, 0, 20, 20), (40, 0, 60, 20)], [0, 1]), [[0, 0, 5, 5]])
    other = sample_of(rectangles((30, 30), [(0, 0, 10, 30), (20, 0, 30, 10)], [2, 2]))
    pasted = geometry.paste(below, other, torch.tensor([0]), (10, 0))
    assert pasted.targets.boxes.tolist() == [[0, 0, 10, 20], [40, 0, 60, 20], [10, 0, 20, 30]]
    assert pasted.targets.labels.tolist() == [0, 1, 2]
    assert torch.equal(pasted.targets.masks.sum(dim=0) > 0, pasted.image[0] > 0)
    assert pasted.targets.masks.sum(dim=0).max() == 1
    assert (pasted.image[:, 5, 15] == 50).all()
    assert torch.equal(pasted.ignored, below.ignored)


def test_of_pasted_objects_the_first_lies_on_top() -> None:
    below = sample_of(Targets.empty(SIZE))
    other = sample_of(rectangles((30, 30), [(0, 0, 20, 20), (10, 10, 30, 30)], [0, 1]))
    pasted = geometry.paste(below, other, torch.tensor([1, 0]), (0, 0))
    areas = dict(
        zip(pasted.targets.labels.tolist(), pasted.targets.masks.sum((1, 2)).tolist(), strict=True)
    )
    assert areas == {1: 400, 0: 300}


@pytest.mark.parametrize(
    ("offset", "boxes"),
    [((-5, -5), [[0, 0, 5, 5]]), ((55, 35), [[55, 35, 60, 40]]), ((100, 0), []), ((0, -40), [])],
    ids=str,
)
def test_what_is_pasted_outside_is_lost(offset: tuple[int, int], boxes: list[list[int]]) -> None:
    other = sample_of(rectangles((30, 30), [(0, 0, 10, 10)], [0]))
    below = Sample(noise(SIZE), Targets.empty(SIZE), torch.zeros(0, 4))
    pasted = geometry.paste(below, other, torch.tensor([0]), offset)
    assert pasted.targets.boxes.tolist() == boxes
    hidden = (pasted.image != below.image).any(dim=0)
    assert not (hidden & ~pasted.targets.masks.any(dim=0)).any()


def test_a_pasted_object_is_another_one_even_if_it_has_the_same_id() -> None:
    sample = sample_of(rectangles(SIZE, [(0, 0, 20, 20)], [0]))
    pasted = geometry.paste(sample, sample, torch.tensor([0]), (30, 10))
    assert len(pasted.targets.ids.unique()) == 2


def test_boxes_without_area_are_recognised() -> None:
    boxes = torch.tensor([[0.0, 0, 1, 1], [2, 0, 2, 5], [3, 4, 1, 9], [0, 5, 9, 5]])
    assert geometry.has_area(boxes).tolist() == [True, False, False, False]
