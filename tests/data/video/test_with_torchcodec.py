"""torchcodec: chosen where it and a GPU are, explained where they are not."""

import importlib.util
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from qivis.data.video import open_video
from qivis.data.video.file import VideoFile
from qivis.data.video.source import DecoderStoppedError, VideoInfo
from qivis.data.video.with_pyav import Probe
from qivis.data.video.with_torchcodec import (
    decode_with_torchcodec,
    has_torchcodec,
    reason_against_torchcodec,
)
from qivis.errors import VideoError

from .conftest import SIZE, MakeClip

IS_INSTALLED = importlib.util.find_spec("torchcodec") is not None


@pytest.mark.skipif(IS_INSTALLED, reason="torchcodec is installed here")
def test_insisting_on_it_says_what_is_missing(make_clip: MakeClip) -> None:
    with pytest.raises(VideoError, match=r"No module named 'torchcodec'\); install the extra gpu-"):
        open_video(make_clip("clip.mp4", num_frames=2), "torchcodec")
    assert not has_torchcodec()


@pytest.mark.skipif(IS_INSTALLED, reason="torchcodec is installed here")
def test_its_absence_lets_another_decoder_go_on(make_clip: MakeClip) -> None:
    clip = make_clip("clip.mp4", num_frames=2)
    with pytest.raises(DecoderStoppedError, match="No module named 'torchcodec'"):
        next(decode_with_torchcodec(clip, SIZE, torch.device("cuda")))


@pytest.mark.skipif(not IS_INSTALLED, reason="torchcodec is not installed here")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_insisting_on_it_without_a_gpu_is_refused(make_clip: MakeClip) -> None:
    with pytest.raises(VideoError, match="decoder torchcodec: "):
        open_video(make_clip("clip.mp4", num_frames=2), "torchcodec")


def test_turned_pictures_are_left_to_others() -> None:
    info = VideoInfo(10, (48, 64), Fraction(25), 0.4)
    upright = Probe(info, True, False, "yuv420p", 48)
    assert reason_against_torchcodec(upright) == ""
    for turned in (replace(upright, is_upright=False), Probe(info, False, True, "yuv420p", 48)):
        assert "upright depends on its version" in reason_against_torchcodec(turned)


@pytest.mark.gpu
@pytest.mark.skipif(not IS_INSTALLED, reason="torchcodec is not installed here")
def test_its_frames_are_those_of_pyav(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4")
    found, expected = (
        list(VideoFile(path, "torchcodec", gpu=torch.device("cuda"))),
        list(VideoFile(path, "pyav")),
    )
    assert [frame.seconds for frame in found] == [frame.seconds for frame in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.image.float() - other.image.float()).abs().mean() < 2
