from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from qivis.data.video import VideoInfo
from qivis.inference.journal import CHUNK_FRAMES, Journal
from qivis.inference.recorder import Recorder
from qivis.structures import Categories, Category, Frame, TrackedDetections
from qivis.tracking.state import TrackerState
from qivis.viz import VideoWriter, draw

SIZE = (16, 24)
INFO = VideoInfo(num_frames=5, size=SIZE, fps=Fraction(10), seconds=0.5)
CATEGORIES = Categories((Category(5, "circle"),))


def named(*ids):
    """Objects whose mask is the column of the id."""
    masks = torch.zeros(len(ids), *SIZE, dtype=torch.bool)
    for mask, track_id in zip(masks, ids, strict=True):
        mask[:, track_id] = True
    return TrackedDetections(
        size=SIZE,
        boxes=torch.zeros(len(ids), 4),
        labels=torch.zeros(len(ids), dtype=torch.int64),
        scores=torch.full((len(ids),), 0.5),
        masks=masks,
        embeddings=torch.zeros(len(ids), 4),
        track_ids=torch.tensor(ids, dtype=torch.int64),
        likeness=torch.ones(len(ids)),
    )


def record(journal, number, *, with_overlay=True):
    with Recorder(journal, INFO, CATEGORIES, 3, None, with_overlay=with_overlay) as recorder:
        for index in range(number):
            image = torch.full((3, *SIZE), index % 256, dtype=torch.uint8)
            frame = Frame(image, index, index / 10)
            recorder.add(frame, named(index % 3), TrackerState(None, index))
        recorder.finish()


def test_frames_are_kept_in_chunks_and_the_last_one_is_as_long_as_the_clip(tmp_path):
    journal = Journal(tmp_path, SIZE)
    record(journal, CHUNK_FRAMES + 3)
    assert journal.num_chunks == 2
    frames = list(Journal(tmp_path, SIZE).frames())
    assert [frame.index for frame in frames] == list(range(CHUNK_FRAMES + 3))
    assert [[seen.track_id for seen in frame.seen] for frame in frames[:4]] == [[0], [1], [2], [0]]
    assert journal.state().next_id == CHUNK_FRAMES + 2


def test_each_chunk_has_its_part_of_the_overlay(tmp_path):
    journal = Journal(tmp_path, SIZE)
    record(journal, CHUNK_FRAMES + 3)
    lengths = []
    for chunk in range(2):
        with av.open(str(journal.overlay(chunk))) as video:
            lengths.append(len(list(video.decode(video=0))))
    assert lengths == [CHUNK_FRAMES, 3]


def test_without_an_overlay_only_the_journal_is_written(tmp_path):
    record(Journal(tmp_path, SIZE), 3, with_overlay=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.jsonl", "000000.npz"]


def fail_after(journal, number):
    with Recorder(journal, INFO, CATEGORIES, 3, None, with_overlay=True) as recorder:
        for index in range(number):
            frame = Frame(torch.zeros(3, *SIZE, dtype=torch.uint8), index, index / 10)
            recorder.add(frame, named(0), TrackerState())
        raise KeyboardInterrupt


def test_a_chunk_that_is_cut_short_leaves_nothing(tmp_path):
    journal = Journal(tmp_path, SIZE)
    with pytest.raises(KeyboardInterrupt):
        fail_after(journal, CHUNK_FRAMES + 3)
    assert journal.num_chunks == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000.jsonl",
        "000000.mp4",
        "000000.npz",
    ]


def test_a_clip_of_a_whole_number_of_chunks_has_no_empty_one(tmp_path):
    journal = Journal(tmp_path, SIZE)
    record(journal, CHUNK_FRAMES)
    assert journal.num_chunks == 1


def frame_of(index):
    return Frame(torch.zeros(3, *SIZE, dtype=torch.uint8), index, index / 10)


def pictures(path):
    with av.open(str(path)) as video:
        return [picture.to_ndarray(format="rgb24") for picture in video.decode(video=0)]


def add_all(journal, ids_of_frames, start=0):
    with Recorder(journal, INFO, CATEGORIES, 3, None, with_overlay=True) as recorder:
        for index, ids in enumerate(ids_of_frames, start):
            recorder.add(frame_of(index), named(*ids), TrackerState(None, index))
        recorder.finish()


def assert_shows(journal, chunk, ids_of_frames, start=0):
    """A chunk's part of the overlay is what drawing these objects gives."""
    path = journal.folder / "expected.mp4"
    with VideoWriter(path, SIZE, INFO.fps) as writer:
        for index, ids in enumerate(ids_of_frames, start):
            frame = frame_of(index)
            writer.write(draw(frame, named(*ids), CATEGORIES.names), frame.seconds)
    shown, expected = pictures(journal.overlay(chunk)), pictures(path)
    same = [np.array_equal(*pair) for pair in zip(shown, expected, strict=True)]
    assert all(same), same


def test_an_object_that_too_few_frames_show_is_never_drawn(tmp_path):
    journal = Journal(tmp_path, SIZE)
    add_all(journal, [(4,), (4, 14), (4, 14), (4,), (), (4,)])
    assert_shows(journal, 0, [(4,), (4,), (4,), (4,), (), (4,)])
    first = next(iter(journal.frames()))
    assert [seen.track_id for seen in first.seen] == [4]


def test_an_object_is_drawn_from_its_first_frame_on_if_the_next_ones_show_it(tmp_path):
    journal = Journal(tmp_path, SIZE)
    add_all(journal, [(), (14,), (14,), (4, 14), (), (4,), (), (4,)])
    # When 4 is seen for the third time, the first of these frames is drawn already.
    assert_shows(journal, 0, [(), (14,), (14,), (14,), (), (4,), (), (4,)])


def test_in_a_clip_of_fewer_frames_what_all_of_them_show_is_drawn(tmp_path):
    journal = Journal(tmp_path, SIZE)
    add_all(journal, [(4,), (4, 14)])
    assert_shows(journal, 0, [(4,), (4,)])


def test_a_recorder_that_goes_on_knows_what_was_seen_before(tmp_path):
    record(Journal(tmp_path, SIZE), CHUNK_FRAMES)
    journal = Journal(tmp_path, SIZE)
    add_all(journal, [(0, 4), (1,), (2,)], start=CHUNK_FRAMES)
    assert_shows(journal, 1, [(0,), (1,), (2,)], start=CHUNK_FRAMES)
    assert [seen.track_id for seen in list(journal.frames())[CHUNK_FRAMES].seen] == [0, 4]
