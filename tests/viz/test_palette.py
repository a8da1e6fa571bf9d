"""Colours of tracks: fixed, apart, and readable."""

import itertools

import numpy as np
import pytest

from qivis.viz.overlay import TEXT_COLOR
from qivis.viz.palette import color


def distance(one: int, other: int) -> float:
    return float(np.abs(np.subtract(color(one), color(other))).sum())


def test_a_track_has_the_same_colour_in_every_run() -> None:
    assert [color(0), color(1), color(2)] == [(255, 122, 114), (26, 223, 157), (220, 175, 255)]


def test_the_first_tracks_look_different_from_one_another() -> None:
    assert min(distance(a, b) for a, b in itertools.combinations(range(10), 2)) > 60


def test_neighbours_are_far_apart_however_many_tracks_there_are() -> None:
    assert min(distance(i, i + 1) for i in range(500)) > 150
    assert min(distance(i, i + 2) for i in range(500)) > 120


def test_colours_are_bytes() -> None:
    for value in itertools.chain.from_iterable(color(i) for i in range(500)):
        assert isinstance(value, int)
        assert 0 <= value <= 255


@pytest.mark.parametrize("track_id", range(0, 300, 7))
def test_text_on_a_tag_has_the_contrast_that_wcag_asks_for(track_id: int) -> None:
    def luminance(rgb: tuple[int, int, int]) -> float:
        parts = [value / 255 for value in rgb]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    light, dark = luminance(color(track_id)), luminance(TEXT_COLOR)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
