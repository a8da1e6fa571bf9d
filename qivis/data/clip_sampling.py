"""Which frames of a video make up a training clip. Every draw comes from the given generator."""

import numpy as np


def draw_frames(
    key: int, length: int, count: int, reach: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """T frames around a key frame, the key frame among them, in time order.

    Of two frames neither is the reference of the other: the losses are the same both ways.

    Args:
        key: the key frame, in [0, length).
        length: frames of the video.
        count: T.
        reach: the farthest distance from the key frame (IDOL: 10, MaskTrack R-CNN: any).
        rng: of the draw.

    Returns:
        T frames in [key - reach, key + reach], all different as long as there are enough of them.
    """
    others = [index for index in _window(key, length, reach) if index != key]
    order = [int(index) for index in rng.permutation(others)]
    # A video with too few frames repeats them: nothing moves there, but T stays T.
    while len(order) < count - 1:
        order += [key, *order]
    return tuple(sorted([key, *order[: count - 1]]))


def draw_direction(
    indices: tuple[int, ...], reverse_probability: float, rng: np.random.Generator
) -> tuple[int, ...]:
    """The frames as they are or, with a probability, backwards in time."""
    return indices[::-1] if rng.random() < reverse_probability else indices


def _window(key: int, length: int, reach: int) -> range:
    return range(max(0, key - reach), min(length, key + reach + 1))
