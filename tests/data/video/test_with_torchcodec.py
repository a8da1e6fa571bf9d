"""torchcodec: chosen where it and a GPU are, explained where they are not."""

import importlib.util

import pytest
import torch

from qivis.data.video import open_video
from qivis.data.video.file import VideoFile
from qivis.data.video.source import DecoderStoppedError
from qivis.data.video.with_torchcodec import decode_with_torchcodec, has_torchcodec
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
    with pytest.raises(DecoderStoppedError, match="No module named 'torchcodec'"):
        next(decode_with_torchcodec(make_clip("clip.mp4", num_frames=2), SIZE))


@pytest.mark.skipif(not IS_INSTALLED, reason="torchcodec is not installed here")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_insisting_on_it_without_a_gpu_is_refused(make_clip: MakeClip) -> None:
    with pytest.raises(VideoError, match="decoder torchcodec: "):
        open_video(make_clip("clip.mp4", num_frames=2), "torchcodec")


@pytest.mark.gpu
@pytest.mark.skipif(not IS_INSTALLED, reason="torchcodec is not installed here")
def test_its_frames_are_those_of_pyav(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4")
    found, expected = list(VideoFile(path, "torchcodec")), list(VideoFile(path, "pyav"))
    assert [frame.seconds for frame in found] == [frame.seconds for frame in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.image.float() - other.image.float()).abs().mean() < 2
