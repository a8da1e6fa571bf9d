"""Which frames are drawn."""

import numpy as np
import pytest

from qivis.data.clip_sampling import draw_direction, draw_frames


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_of_two_frames_one_is_the_key_and_one_is_near(rng: np.random.Generator) -> None:
    drawn = {draw_frames(3, length=20, count=2, reach=2, rng=rng) for _ in range(200)}
    assert drawn == {(1, 3), (2, 3), (3, 4), (3, 5)}


def test_frames_are_different_ordered_near_the_key_and_with_it(rng: np.random.Generator) -> None:
    clips = [draw_frames(5, length=12, count=3, reach=2, rng=rng) for _ in range(300)]
    expected = {(a, b, c) for a in range(3, 8) for b in range(a + 1, 8) for c in range(b + 1, 8)}
    assert set(clips) == {clip for clip in expected if 5 in clip}


def test_one_frame_is_the_key(rng: np.random.Generator) -> None:
    assert draw_frames(4, length=9, count=1, reach=3, rng=rng) == (4,)


@pytest.mark.parametrize(("length", "count"), [(1, 4), (2, 5), (3, 4)])
def test_a_short_video_repeats_frames(length: int, count: int, rng: np.random.Generator) -> None:
    frames = draw_frames(0, length, count, reach=9, rng=rng)
    assert len(frames) == count
    assert set(frames) == set(range(length))
    assert list(frames) == sorted(frames)
    shares = [frames.count(index) for index in range(length)]
    assert max(shares) - min(shares) <= 1


def test_time_runs_backwards_as_often_as_asked(rng: np.random.Generator) -> None:
    drawn = [draw_direction((1, 4, 6), 0.25, rng) for _ in range(1000)]
    assert set(drawn) == {(1, 4, 6), (6, 4, 1)}
    assert drawn.count((6, 4, 1)) == pytest.approx(250, abs=50)


@pytest.mark.parametrize(("probability", "expected"), [(0.0, (1, 2)), (1.0, (2, 1))])
def test_a_certain_direction_is_certain(
    probability: float, expected: tuple[int, ...], rng: np.random.Generator
) -> None:
    assert all(draw_direction((1, 2), probability, rng) == expected for _ in range(50))


def test_the_same_generator_draws_the_same() -> None:
    one, two = (
        [draw_frames(8, 30, 4, 6, np.random.default_rng(3)) for _ in range(2)] for _ in range(2)
    )
    assert one == two
