from fractions import Fraction

import av
import pytest
import torch

from qivis.data.video import VideoInfo
from qivis.inference.journal import CHUNK_FRAMES, Journal
from qivis.inference.recorder import Recorder
from qivis.structures import Categories, Category, Frame, TrackedDetections
from qivis.tracking.state import TrackerState

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


def record(journal, number, *, with_overlay=True, finish=True):
    with Recorder(journal, INFO, CATEGORIES, with_overlay=with_overlay) as recorder:
        for index in range(number):
            image = torch.full((3, *SIZE), index % 256, dtype=torch.uint8)
            frame = Frame(image, index, index / 10)
            recorder.add(frame, named(index % 3), TrackerState(None, index))
        if finish:
            recorder.finish_chunk()


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
    with Recorder(journal, INFO, CATEGORIES, with_overlay=True) as recorder:
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
