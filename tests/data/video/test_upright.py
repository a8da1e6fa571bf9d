"""From decoded pictures to images."""

import av
import numpy as np
import torch

from qivis.data.video.upright import UPRIGHT, to_image, turn_of, upright_image

from .conftest import SIZE, MakeClip, paint


def test_a_display_matrix_says_how_to_turn(make_clip: MakeClip) -> None:
    # Counter-clockwise a quarter turn: what was right (x) is up (-y), what was down (y) is right.
    path = make_clip("clip.mov", num_frames=1, turn=(90, False))
    with av.open(str(path)) as container:
        assert turn_of(next(container.decode(video=0))) == (0, -1, 1, 0)


def test_without_a_display_matrix_pictures_are_upright() -> None:
    assert turn_of(av.VideoFrame(8, 6, "rgb24")) == UPRIGHT


def test_an_image_has_the_size_of_the_first_picture() -> None:
    first = av.VideoFrame.from_ndarray(paint(0), format="rgb24")
    larger = av.VideoFrame.from_ndarray(np.full((128, 192, 3), 9, np.uint8), format="rgb24")
    image = upright_image(larger, like=first)
    assert image.shape == (3, *SIZE)
    assert torch.all(image == 9)
    assert torch.equal(upright_image(first, like=first), torch.tensor(paint(0)).permute(2, 0, 1))


def test_an_image_is_a_view_of_its_pixels() -> None:
    pixels = paint(0)
    assert to_image(pixels).data_ptr() == pixels.ctypes.data
