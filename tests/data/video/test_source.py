"""What every source of frames promises."""

from collections.abc import Generator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import torch
from PIL import Image

from qivis.data.video import FrameSource, open_video
from qivis.data.video.source import Limits
from qivis.structures import Frame

from .conftest import MakeClip, paint


@pytest.fixture(params=["file", "pictures"])
def source(request: pytest.FixtureRequest, make_clip: MakeClip, tmp_path: Path) -> FrameSource:
    if request.param == "file":
        return open_video(make_clip("clip.mp4", num_frames=6))
    for index in range(6):
        Image.fromarray(paint(index)).save(tmp_path / f"{index}.png")
    return open_video(tmp_path)


def test_iterating_reads_from_the_start_each_time(source: FrameSource) -> None:
    with source:
        assert [frame.index for frame in source] == list(range(6))
        assert [frame.index for frame in source] == list(range(6))
        assert source.info.num_frames == 6


def test_frames_begin_at_an_index_and_keep_their_times(source: FrameSource) -> None:
    whole, rest = list(source), list(source.frames(4))
    assert [frame.index for frame in rest] == [4, 5]
    assert [frame.seconds for frame in rest] == [frame.seconds for frame in whole[4:]]
    for one, other in zip(rest, whole[4:], strict=True):
        assert np.array_equal(one.image, other.image)


def test_leaving_the_block_ends_the_reading(source: FrameSource) -> None:
    with source:
        frames = source.frames()
        assert next(frames).index == 0
    assert list(frames) == []


class Hanging(FrameSource):
    """Gives no frame until it is let go."""

    def __init__(self) -> None:
        self.limits, self.lost = Limits(), []
        self.begun, self.let_go = Event(), Event()

    def _read(self, start: int) -> Generator[Frame, None, None]:
        self.begun.set()
        self.let_go.wait(10)
        yield Frame(torch.zeros(3, 1, 1, dtype=torch.uint8), start, 0.0)


def test_a_source_can_be_closed_while_a_thread_waits_for_a_frame() -> None:
    source = Hanging()
    thread = Thread(target=list, args=(source.frames(),))
    thread.start()
    source.begun.wait(10)
    source.close()  # as the end of a block does, whatever has ended it
    source.let_go.set()
    thread.join(10)
