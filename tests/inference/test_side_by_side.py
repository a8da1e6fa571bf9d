from contextlib import suppress
from dataclasses import replace
from threading import Thread

import pytest
import torch

from qivis.errors import VideoError
from qivis.inference.predictor import load_predictor
from qivis.inference.side_by_side import find_side_by_side, one_thread
from qivis.inference.video import segment_video
from qivis.structures import Frame
from qivis.tracking import Tracker
from tests.tiny import noise


@pytest.fixture
def predictor(tiny_weights):
    return replace(load_predictor(tiny_weights, "cpu"), score_threshold=0.0, max_detections=5)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def frames_of(number):
    for index in range(number):
        yield Frame(noise((48, 64), index), index, index / 10)


@pytest.mark.usefixtures("three_threads")
def test_frames_come_back_in_their_order_with_their_own_objects(predictor):
    found = list(find_side_by_side(frames_of(9), predictor))
    assert [frame.index for frame, _ in found] == list(range(9))
    for frame, detections in found:
        (alone,) = predictor([frame.image])
        assert torch.allclose(alone.scores, detections.scores, atol=1e-3)
        assert torch.allclose(alone.boxes, detections.boxes, atol=0.5)


@pytest.mark.usefixtures("three_threads")
def test_where_no_more_threads_can_be_had_it_ends_with_the_error(monkeypatch, predictor):
    started = []

    def start(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real_start(thread)

    real_start = Thread.start
    monkeypatch.setattr(Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        next(find_side_by_side(frames_of(2), predictor))
    assert len(started) == 2
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.usefixtures("three_threads")
def test_each_worker_has_its_share_of_the_threads_and_others_keep_theirs(predictor):
    seen = []

    class Watched:
        def __call__(self, images):
            seen.append(torch.get_num_threads())
            return predictor(images)

    stream = find_side_by_side(frames_of(6), Watched())
    next(stream)
    assert torch.get_num_threads() == 3
    other = Thread(target=lambda: seen.append(10 * torch.get_num_threads()))
    other.start()
    other.join()
    list(stream)
    assert sorted(seen) == [1] * 6 + [30]


@pytest.mark.usefixtures("three_threads")
def test_what_is_done_beside_the_network_leaves_the_other_processors_to_it():
    with suppress(RuntimeError), one_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError("stopped by the tracker")
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_the_tracker_is_such_work_and_the_caller_keeps_all_threads(predictor, monkeypatch):
    seen = []
    update = Tracker.update

    def watched(self, detections):
        seen.append(torch.get_num_threads())
        return update(self, detections)

    monkeypatch.setattr(Tracker, "update", watched)
    for _ in segment_video(frames_of(4), predictor):
        seen.append(10 * torch.get_num_threads())
    assert seen == [1, 30] * 4


def test_a_frame_that_cannot_be_read_is_an_error_after_those_before_it(predictor):
    def broken():
        yield from frames_of(1)
        raise VideoError("no more")

    with pytest.raises(VideoError, match="no more"):
        list(find_side_by_side(broken(), predictor))


def test_when_the_rest_is_not_wanted_nothing_goes_on(predictor):
    taken = []

    def watched():
        for frame in frames_of(100):
            taken.append(frame.index)
            yield frame

    stream = find_side_by_side(watched(), predictor)
    next(stream)
    stream.close()
    assert len(taken) <= 6  # four workers at most, and one more that waits


def test_an_error_of_the_network_reaches_the_caller():
    def failing(images):
        raise RuntimeError("network")

    with pytest.raises(RuntimeError, match="network"):
        list(find_side_by_side(frames_of(3), failing))
