"""The demo clip: small, playable, and what its script makes."""

from pathlib import Path

import av
import make_demo_clip
import numpy as np
import pytest
from numpy.typing import NDArray

import qivis

CLIP = Path(qivis.__file__).with_name("assets") / "demo.mp4"


@pytest.fixture(scope="module")
def frames() -> list[NDArray[np.uint8]]:
    with av.open(str(CLIP)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_the_clip_is_small_and_plays_everywhere() -> None:
    assert CLIP.stat().st_size <= 2 * 2**20
    with av.open(str(CLIP)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (640, 360)
        assert (stream.frames, stream.average_rate) == (160, 25)


@pytest.mark.parametrize("index", [0, 60, 88, 120, 159])
def test_the_script_makes_the_clip(frames: list[NDArray[np.uint8]], index: int) -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")
    difference = make_demo_clip.render(index).astype(float) - frames[index]
    assert np.abs(difference).mean() < 5  # what the compression costs


def test_the_persons_cross_and_the_cat_comes_and_goes() -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")

    def left(name: str, moment: float) -> float:
        return make_demo_clip._place_of(name, moment)[0]

    assert left("hopper", 0.4) < left("astronaut", 0.4)
    assert left("hopper", 0.7) > left("astronaut", 0.7)
    width = make_demo_clip._cut_out("cat").size[0]
    shown = [left("cat", moment) + width for moment in (0.4, 0.8, 1.0)]
    assert shown == pytest.approx([0, 440, 95])


def test_a_cut_out_keeps_what_is_inside_its_outline() -> None:
    pytest.importorskip("skimage")
    alpha = np.asarray(make_demo_clip._cut_out("astronaut").getchannel("A"))
    scale = make_demo_clip.SPRITES["astronaut"].scale
    face, flag, sky = ((225, 120), (30, 100), (330, 60))
    assert [alpha[round(scale * y), round(scale * x)] for x, y in (face, flag, sky)] == [255, 0, 0]
