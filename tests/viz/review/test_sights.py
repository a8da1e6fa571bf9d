"""Where masks are, and how close two of them are to being one object."""

import pytest

from qivis.viz.review.sights import closeness, sights
from tests.review_clips import Box, seen, track

HERE = (80, 40, 110, 80)  # 30 wide, 40 high: a diagonal of 50


def close(one: Box, other: Box) -> float:
    first, second = sights(track(0, {3: seen(one), 5: seen(other)}))
    return closeness(first, second)


def test_a_sight_is_the_box_and_the_area_of_a_mask() -> None:
    (sight,) = sights(track(0, {7: seen(HERE)}))
    assert (sight.frame, sight.x, sight.y) == (7, 95, 60)
    assert (sight.diagonal, sight.area, sight.is_cut) == (50, 1200, False)


def test_equal_masks_are_as_close_as_can_be() -> None:
    assert close(HERE, HERE) == 1


def test_closeness_falls_with_the_distance_in_diagonals() -> None:
    assert close(HERE, (90, 40, 120, 80)) == pytest.approx(0.8)  # 10 of 50 pixels away
    assert close(HERE, (130, 40, 160, 80)) == 0


def test_closeness_falls_with_the_root_of_the_areas() -> None:
    # A quarter of the area around the same centre.
    assert close((80, 40, 112, 80), (88, 50, 104, 70)) == pytest.approx(0.5)


def test_an_area_that_the_border_cuts_says_nothing() -> None:
    small, large = (170, 50, 200, 90), (40, 40, 100, 120)
    assert close((170, 50, 186, 62), small) < 0.8
    first, second = sights(track(0, {0: seen((190, 50, 199, 90)), 1: seen(small)}))
    assert first.is_cut  # one pixel is left: masks rarely reach the last one
    assert second.is_cut
    distance = 194.5 - 185
    diagonals = ((9**2 + 40**2) ** 0.5 + 50) / 2
    assert closeness(first, second) == pytest.approx(1 - distance / diagonals)
    assert sights(track(0, {0: seen(large)}))[0].is_cut  # at the lower border
