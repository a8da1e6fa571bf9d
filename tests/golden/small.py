"""A small checkpoint by the published names: two narrow stages, weights by the rule.

It is what tests of weights files use, where the published sizes would take seconds and gigabytes.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.golden import rule

GOLDEN = Path(__file__).with_name("queryinst_r50_100.npz")

# Lengths in the published R-50 network and in this small one; the backbone keeps its own.
NUM_QUERIES, NUM_STAGES, WIDTH, FFN_WIDTH, DYNAMIC_WIDTH = 8, 2, 16, 24, 4
LENGTHS = {
    100: NUM_QUERIES,
    256: WIDTH,
    768: 3 * WIDTH,
    2048: FFN_WIDTH,
    64: DYNAMIC_WIDTH,
    32768: 2 * WIDTH * DYNAMIC_WIDTH,
    12544: WIDTH * 7 * 7,
}


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published R-50 checkpoint with 100 queries."""
    entries = (line.split(" ", 1) for line in np.load(GOLDEN)["keys"].tolist())
    return {
        name: tuple(int(word) for word in shape.strip("()").replace(",", " ").split())
        for name, shape in entries
    }


def small_state_dict() -> dict[str, Tensor]:
    """The same names for the small network, without its stages from the third on."""
    return dict(_small_weights())


@functools.cache
def _small_weights() -> dict[str, Tensor]:
    shapes = {
        name: _small_shape(name, shape)
        for name, shape in published_shapes().items()
        if not any(f"_head.{stage}." in name for stage in range(NUM_STAGES, 6))
    }
    return {
        name: torch.from_numpy(np.array(rule.weight(name, shape, seed=0)))
        for name, shape in shapes.items()
    }


def _small_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if name.startswith("backbone."):
        return shape
    small = tuple(LENGTHS.get(length, length) for length in shape)
    # The lateral convolutions begin with the backbone's channels.
    return (*small[:1], *shape[1:]) if name.startswith("neck.lateral_convs") else small
