"""Rectangles of pixels: what they cut out, and where they end."""

import numpy as np

from qivis.viz.rect import Rect, extent


def test_the_extent_is_the_tightest_rectangle_around_all_pixels() -> None:
    mask = np.zeros((10, 20), bool)
    assert extent(mask) is None
    mask[3, 15] = mask[7, 4] = True
    assert extent(mask) == Rect(left=4, top=3, right=16, bottom=8)


def test_its_window_holds_exactly_its_pixels() -> None:
    pixels = np.zeros((10, 20), int)
    pixels[Rect(4, 3, 16, 8).window] = 1
    assert pixels.sum() == 12 * 5
    assert (pixels[3, 4], pixels[7, 15], pixels[8, 15], pixels[7, 16]) == (1, 1, 0, 0)


def test_it_grows_to_all_sides_but_not_out_of_the_picture() -> None:
    assert Rect(4, 3, 16, 8).grown(2, (20, 30)) == Rect(2, 1, 18, 10)
    assert Rect(4, 3, 16, 8).grown(5, (10, 20)) == Rect(0, 0, 20, 10)


def test_rectangles_that_touch_do_not_overlap() -> None:
    one = Rect(0, 0, 10, 10)
    assert one.overlaps(Rect(9, 9, 20, 20))
    assert not one.overlaps(Rect(10, 0, 20, 10))
    assert not one.overlaps(Rect(0, 10, 10, 20))
