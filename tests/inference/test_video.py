import itertools
import signal
import time
import weakref
from dataclasses import replace
from threading import Event, Timer, main_thread
from threading import enumerate as enumerate_threads

import pytest
import torch

from qivis.errors import ConfigError, DataError, VideoError
from qivis.inference.predictor import load_predictor
from qivis.inference.video import segment_frames, segment_video
from qivis.structures import Frame
from qivis.tracking import build_tracker


@pytest.fixture
def predictor(tiny_weights):
    return replace(load_predictor(tiny_weights, "cpu"), score_threshold=0.0)


def frames_of(number, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for index in range(number):
        image = torch.randint(0, 256, (3, 48, 64), dtype=torch.uint8, generator=generator)
        yield Frame(image, index, index / 10)


def test_a_clip_becomes_frames_in_order_with_named_objects(shapes, predictor):
    results = list(segment_video(shapes / "clip.mp4", predictor))
    assert [frame.index for frame, _ in results] == list(range(8))
    assert all(tracked.size == frame.size for frame, tracked in results)
    ids = [tracked.track_ids.tolist() for _, tracked in results]
    assert ids[0] == list(range(len(ids[0])))
    assert all(len(set(row)) == len(row) > 0 for row in ids)


def test_the_same_picture_again_and_again_keeps_all_ids(predictor):
    (frame,) = frames_of(1)
    results = segment_video([frame] * 3, predictor)
    first, *others = (tracked.track_ids.tolist() for _, tracked in results)
    assert others == [first, first]


def test_results_do_not_depend_on_how_frames_are_chunked(predictor):
    one = segment_video(frames_of(5), predictor, frames_per_call=1)
    three = segment_video(frames_of(5), predictor, frames_per_call=3)
    for (_, alone), (_, together) in zip(one, three, strict=True):
        assert torch.equal(alone.track_ids, together.track_ids)
        assert torch.equal(alone.boxes, together.boxes)
        assert torch.equal(alone.masks, together.masks)
        assert torch.equal(alone.embeddings, together.embeddings)


def test_a_video_without_frames_gives_nothing(predictor):
    assert list(segment_video([], predictor)) == []


def test_frames_are_read_as_they_are_needed_and_not_kept(predictor):
    alive = weakref.WeakSet()

    def endless():
        for index in itertools.count():
            frame = Frame(torch.zeros(3, 48, 64, dtype=torch.uint8), index, 0.0)
            alive.add(frame.image)
            yield frame

    held = []
    for _ in itertools.islice(segment_video(endless(), predictor, 2), 12):
        held.append(len(alive))
    assert len(held) == 12
    assert max(held) <= 8  # two chunks of 2, 2 ahead, one being read, one being handed over


def test_a_device_works_on_while_identities_are_settled(predictor):
    """The tracker waits in its first frame until the second chunk is looked for."""
    second, tracker = Event(), build_tracker(predictor.tracking)
    chunks = itertools.count()

    class Waiting:
        keep_score = tracker.keep_score

        def update(self, detections):
            assert second.wait(timeout=30)
            return tracker.update(detections)

    def on_a_device(images):
        if next(chunks) == 1:
            second.set()
        return predictor(images)

    assert len(list(segment_frames(frames_of(4), on_a_device, Waiting(), 2))) == 4


def test_a_device_is_never_far_ahead(predictor):
    """Of masks as large as frames, those of three chunks are held, and of the frame in hand."""
    found, alive = itertools.count(), weakref.WeakSet()

    def on_a_device(images):
        detections = predictor(images)
        alive.update(one.masks for one in detections)
        next(found)
        return detections

    tracker = build_tracker(predictor.tracking)
    for _ in segment_frames(frames_of(20), on_a_device, tracker, 2):
        time.sleep(0.05)
        assert len(alive) <= 7
    assert next(found) == 10


def test_an_interrupt_while_a_camera_is_silent_arrives(predictor):
    """A device's frames are read by another thread, which is left to wait."""
    gate = Event()

    def silent():
        yield from frames_of(2)
        gate.wait(20)

    stream = segment_frames(silent(), predictor.__call__, build_tracker(predictor.tracking), 1)
    for _ in range(2):
        next(stream)
    Timer(0.2, signal.pthread_kill, [main_thread().ident, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    gate.set()


def test_nobody_goes_on_reading_what_is_not_wanted_any_more(predictor):
    class Failing:
        keep_score = 0.0

        def update(self, _):
            raise ZeroDivisionError

    def readers():
        return [thread for thread in enumerate_threads() if thread.name == "ahead"]

    for finder in (predictor, predictor.__call__):
        stream = segment_frames(frames_of(100), finder, build_tracker(predictor.tracking), 2)
        next(stream)
        assert readers()
        stream.close()
        assert not readers()
        with pytest.raises(ZeroDivisionError) as error:  # which keeps whatever is not closed
            next(segment_frames(frames_of(100), finder, Failing(), 2))
        assert not readers()
        del error


def test_less_is_tried_at_once_where_the_memory_of_the_device_does_not_suffice(predictor):
    tried = []

    def of_little_memory(images):
        tried.append(len(images))
        if len(images) > 1:
            raise torch.OutOfMemoryError
        return predictor(images)

    tracker = build_tracker(predictor.tracking)
    results = list(segment_frames(frames_of(8), of_little_memory, tracker, 4))
    assert tried == [4, 2, 1, 1, 1, 1, 1, 1, 1, 1]  # what does not suffice is not tried again
    expected = list(segment_video(frames_of(8), predictor))
    for (_, found), (_, plain) in zip(results, expected, strict=True):
        assert torch.equal(found.masks, plain.masks)


def test_a_frame_that_is_too_large_for_the_device_is_an_error_with_a_remedy(predictor):
    def of_no_memory(images):
        raise torch.OutOfMemoryError

    stream = segment_frames(frames_of(2), of_no_memory, build_tracker(predictor.tracking), 2)
    with pytest.raises(DataError, match=r"64 x 48 pixels; choose a smaller --imgsz"):
        next(stream)


@pytest.mark.parametrize("number", [0, -1, 1.5, "a", None])
def test_no_frame_at_once_is_refused(predictor, number):
    with pytest.raises(ConfigError, match=f"from 1 on, got {number!r}"):
        next(segment_video([], predictor, frames_per_call=number))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (0, 'frames, got 0; a webcam is "0"'),
        (None, "frames, got None"),
        (b"clip.mp4", "frames, got b'clip.mp4'"),
    ],
)
def test_what_is_no_source_is_told(predictor, source, words):
    with pytest.raises(ConfigError, match=words):
        next(segment_video(source, predictor))


def test_weights_are_not_taken_for_a_predictor():
    with pytest.raises(ConfigError, match="expected what load_predictor gives, got 'default'"):
        next(segment_video([], "default"))


def test_on_a_cpu_no_more_frames_are_held_than_it_can_work_on(predictor):
    alive = weakref.WeakSet()

    def many():
        for index in range(100):
            frame = Frame(torch.zeros(3, 48, 64, dtype=torch.uint8), index, 0.0)
            alive.add(frame.image)
            yield frame

    for _ in segment_video(many(), predictor, frames_per_call=100):
        time.sleep(0.01)
        assert len(alive) < 20


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "got Tensor with image none"),
        (Frame(torch.zeros(3, 8, 8), 0, 0.0), r"\(3, 8, 8\) torch.float32"),
        (Frame(torch.zeros(4, 8, 8, dtype=torch.uint8), 0, 0.0), r"\(4, 8, 8\) torch.uint8"),
        (Frame(torch.zeros(3, 0, 8, dtype=torch.uint8), 0, 0.0), r"\(3, 0, 8\) torch.uint8"),
    ],
    ids=["no frame", "no bytes", "four channels", "no pixel"],
)
def test_what_is_no_frame_is_refused(predictor, frame, words):
    with pytest.raises(DataError, match=f"expected a Frame whose image is .*{words}"):
        list(segment_video([frame], predictor))


def test_a_missing_file_is_named(predictor, tmp_path):
    with pytest.raises(VideoError, match="nothing_here"):
        next(segment_video(tmp_path / "nothing_here.mp4", predictor))
