"""Veil and contour, pixel by pixel across an edge."""

import numpy as np
import pytest

from qivis.viz.outline import RIM, VEIL, paint_object
from qivis.viz.rect import extent

RED = (200, 0, 0)


def painted(mask: np.ndarray, ground: int = 100) -> np.ndarray:
    picture = np.full((*mask.shape, 3), ground, np.uint8)
    around = extent(mask)
    assert around
    paint_object(picture, mask, around, RED)
    return picture.astype(int)


def half(height: int = 400, width: int = 400) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[:, width // 2 :] = True
    return mask


def test_across_an_edge_come_ground_rim_line_and_veil() -> None:
    # 400 lines: the contour is 1.5 pixels thick and covers 3/4 of the pixels on both sides of the
    # edge, and the rim ends 2.25 outside, at 3/4 of the second pixel.
    row = painted(half())[200]
    assert (row[:197] == 100).all()
    assert row[197] == pytest.approx([100] * 3, abs=1)  # at 2.5 outside
    red, ground = np.array(RED), 100
    assert row[198] == pytest.approx([(1 - 0.75 * RIM) * ground] * 3, abs=2)  # at 1.5 outside
    line = 0.75 * red + 0.25 * (1 - RIM) * ground
    assert row[199] == pytest.approx(line, abs=2)  # at 0.5 outside
    veil = ground + VEIL * (red - ground)
    assert row[200] == pytest.approx(0.75 * red + 0.25 * veil, abs=2)  # at 0.5 inside
    assert row[201] == pytest.approx(veil, abs=2)  # at 1.5 inside
    assert row[203:] == pytest.approx(np.tile(veil, (197, 1)), abs=1)


def test_an_upright_and_a_lying_edge_look_alike() -> None:
    mask = half()
    assert np.array_equal(painted(mask), painted(mask.T).transpose(1, 0, 2))


def test_where_an_object_leaves_the_picture_it_has_no_contour() -> None:
    assert (painted(np.ones((40, 60), bool)) == painted(np.ones((40, 60), bool))[20, 30]).all()


@pytest.mark.parametrize("height", [360, 720, 1080, 2160, 4320])
def test_the_contour_grows_with_the_picture(height: int) -> None:
    row = painted(half(height, 200))[height // 2]
    thickness = max(1.5, height / 360)
    is_line = np.abs(row - RED).sum(axis=1) < 80
    assert is_line.sum() == pytest.approx(thickness, abs=1)
    assert (row[:80] == 100).all()


def test_a_slanted_edge_has_no_steps() -> None:
    # Along a straight edge at 20 degrees each pixel's colour is told by its distance to the edge.
    rows, columns = np.mgrid[:200, :300]
    distance = (columns - 150) * np.cos(0.35) + (rows - 100) * np.sin(0.35)
    green = painted(distance > 0)[20:180, 20:280, 1]
    near = np.abs(distance[20:180, 20:280] + 1.0) < 0.05  # in the middle of line and rim
    assert near.sum() > 10
    assert green[near].std() < 12


def test_a_single_pixel_is_seen() -> None:
    mask = np.zeros((50, 50), bool)
    mask[25, 25] = True
    picture = painted(mask)
    assert (picture != 100).any()
    assert (picture[:20] == 100).all()
