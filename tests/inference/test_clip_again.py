from dataclasses import replace

import pytest

from qivis.errors import VideoError
from qivis.inference.clip_again import frames_again
from qivis.inference.summary import read_run
from tests.finished_run import FRAMES, TIMES, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def summary(run):
    return read_run(run)[0]


def asked(summary, frames, lost=(), **task):
    return replace(summary, frames=frames, lost_frames=lost, task=summary.task | task)


def refusal(summary):
    with pytest.raises(VideoError) as caught:
        list(frames_again(summary))
    return str(caught.value)


def test_all_frames_come_once_more(summary):
    found = [(frame.index, frame.seconds) for frame in frames_again(summary)]
    assert [index for index, _ in found] == list(range(FRAMES))
    assert [seconds for _, seconds in found] == pytest.approx(TIMES, abs=1e-6)


@pytest.mark.parametrize(
    ("task", "times"),
    [
        ({"stride": 3}, [0.0, 0.12, 0.36]),
        ({"seconds": 0.1}, [0.0, 0.04, 0.08]),
        ({"max_frames": 2}, [0.0, 0.04]),
        ({"stride": 2, "max_frames": 6, "seconds": 0.15, "decoder": "pyav"}, [0.0, 0.08]),
    ],
    ids=["stride", "seconds", "frames", "all"],
)
def test_frames_are_those_that_the_run_looked_at(summary, task, times):
    found = list(frames_again(asked(summary, len(times), **task)))
    assert [frame.index for frame in found] == list(range(len(times)))
    assert [frame.seconds for frame in found] == pytest.approx(times, abs=1e-6)


@pytest.mark.parametrize("source", ["0", "-", "rtsp://camera/stream"])
def test_what_was_live_is_not_opened(summary, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = asked(summary, FRAMES, source=source, bytes=None)
    assert refusal(live) == f"{source}: was live, and cannot be seen once more"


def test_a_clip_that_is_gone_is_named(summary):
    gone = asked(summary, FRAMES, source="/nowhere/clip.mp4")
    assert refusal(gone).startswith("/nowhere/clip.mp4: is no longer there; put it back")


def test_pictures_that_are_gone_are_named(summary):
    gone = asked(summary, FRAMES, source="/nowhere/*.jpg")
    assert refusal(gone).startswith("/nowhere/*.jpg: is no longer there; put it back")


def test_another_clip_of_that_name_is_refused_though_it_has_such_frames(tmp_path):
    summary, _ = read_run(make_run(tmp_path))
    with (tmp_path / "clip.mkv").open("ab") as file:
        file.write(b"more")
    assert refusal(summary).endswith("is no longer the clip in which the tracks were found")


@pytest.mark.parametrize(
    ("frames", "lost", "height"),
    [(FRAMES - 1, (), 96), (FRAMES + 1, (), 96), (FRAMES, (2,), 96), (FRAMES, (), 98)],
    ids=["more", "fewer", "others", "larger"],
)
def test_other_frames_than_in_the_run_are_refused(summary, frames, lost, height):
    other = replace(asked(summary, frames, lost), height=height)
    assert refusal(other).endswith("is no longer the clip in which the tracks were found")
