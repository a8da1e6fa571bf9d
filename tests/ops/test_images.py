"""Pictures into the network: sizes as mmcv's, pixels as OpenCV's, zeros around."""

from typing import Any

import mmcv
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from qivis.ops.images import fit_size, normalize_and_pad, resize, resize_axis


@pytest.mark.parametrize(
    "bounds", [(800, 1333), (480, 1333), (64, 96), (320, 576)], ids=lambda b: f"{b[0]}x{b[1]}"
)
def test_sizes_are_those_of_mmcv(bounds: tuple[int, int]) -> None:
    short_side, long_side = bounds
    for height, width in ((480, 640), (640, 480), (427, 640), (375, 500), (1080, 1920), (33, 999)):
        new_width, new_height = mmcv.rescale_size((width, height), (long_side, short_side))
        assert fit_size((height, width), short_side, long_side) == (new_height, new_width)


def test_a_very_long_picture_keeps_one_row() -> None:
    assert fit_size((1, 5000), 800, 1333) == (1, 1333)


@pytest.mark.parametrize("size", [(30, 50), (97, 161), (64, 41)], ids=str)
def test_resized_pixels_are_those_of_opencv(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    expected = mmcv.imresize(pixels, size[::-1], interpolation="bilinear")
    resized = resize(torch.from_numpy(pixels).permute(2, 0, 1), size)
    assert (resized.dtype, tuple(resized.shape)) == (torch.uint8, (3, *size))
    # OpenCV computes in fixed point: a level of difference is rounding.
    assert np.abs(resized.permute(1, 2, 0).int().numpy() - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("before", "after"),
    [((72, 128), (36, 64)), ((72, 128), (75, 133)), ((1, 9), (4, 3)), ((301, 7), (2, 400))],
    ids=str,
)
def test_other_devices_resize_to_the_same_bits(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    """By operations that all of them have for bytes, here on the CPU."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, *before), dtype=torch.uint8, generator=generator)
    by_axes = resize_axis(resize_axis(image, 2, after[1]), 1, after[0])
    assert torch.equal(by_axes, resize(image, after))


def test_bytes_are_not_interpolated_where_pytorch_cannot() -> None:
    """It refuses that on GPUs; tensors without values are on another device than the CPU, too."""
    image = torch.zeros(3, 72, 128, dtype=torch.uint8, device="meta")
    with Calls() as calls:
        resized = resize(image, (36, 64))
    assert (resized.shape, resized.dtype) == ((3, 36, 64), torch.uint8)
    assert "index_select" in calls.seen
    assert "upsample_bilinear2d" not in calls.seen


class Calls(TorchDispatchMode):
    """Keeps the names of the operations that PyTorch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = set[str]()

    def __torch_dispatch__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.seen.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    image = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    assert resize(image, (5, 7)) is image


def test_pictures_are_normalised_and_then_padded_with_zeros() -> None:
    small = torch.full((3, 2, 3), 30, dtype=torch.uint8)
    large = torch.full((3, 4, 5), 50, dtype=torch.uint8)
    batch = normalize_and_pad([small, large], (10.0, 20.0, 30.0), (10.0, 5.0, 2.0), divisor=4)
    assert (batch.shape, batch.dtype) == ((2, 3, 4, 8), torch.float32)
    assert batch[0, :, 1, 2].tolist() == [2, 2, 0]
    assert batch[1, :, 3, 4].tolist() == [4, 6, 10]
    assert batch[0].count_nonzero() == 2 * 2 * 3
    assert batch[1, :, :, 5:].count_nonzero() == 0


def test_sides_that_are_multiples_get_no_padding() -> None:
    image = torch.zeros(3, 64, 96, dtype=torch.uint8)
    assert normalize_and_pad([image], (0.0,) * 3, (1.0,) * 3).shape == (1, 3, 64, 96)
