from fractions import Fraction

import pytest
import torch

from qivis.config import TrackingConfig
from qivis.data.video import VideoInfo
from qivis.errors import DataError
from qivis.inference.journal import Journal, JournalFrame, keep_stream, kept_stream
from qivis.ops import rle
from qivis.structures import Detections, View
from qivis.tracking import Identified, build_tracker
from qivis.tracking.state import TrackerState, to_arrays

SIZE = (7, 9)


@pytest.fixture
def frames():
    masks = rle.encode(torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0)) > 0.5)
    first, second, third = (View(mask, 0.1 + 0.2, 1 / 3) for mask in masks)
    return [
        JournalFrame(0, 0.0, [Identified(0, 2, first), Identified(1, 0, second)], (1,)),
        JournalFrame(2, 0.0667, []),
        JournalFrame(3, 0.1, [Identified(1, 0, third)]),
    ]


@pytest.fixture
def state():
    tracker = build_tracker(TrackingConfig())
    detections = Detections(
        size=SIZE,
        boxes=torch.tensor([[1.0, 1, 5, 5]]),
        labels=torch.tensor([1]),
        scores=torch.tensor([0.9]),
        masks=torch.ones(1, *SIZE, dtype=torch.bool),
        embeddings=torch.tensor([[0.3, 0.4]]),
    )
    tracker.update(detections)
    return tracker.state


def test_what_is_kept_is_there_when_the_run_goes_on(tmp_path, frames, state):
    journal = Journal(tmp_path / "journal", SIZE)
    journal.finish_chunk(frames[:2], TrackerState())
    journal.finish_chunk(frames[2:], state)
    again = Journal(tmp_path / "journal", SIZE)
    assert list(again.frames()) == frames
    assert (again.num_chunks, again.next_index) == (2, 4)
    found, expected = to_arrays(again.state()), to_arrays(state)
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in expected)


def test_a_run_begins_with_nothing(tmp_path):
    journal = Journal(tmp_path / "journal", SIZE)
    assert (list(journal.frames()), journal.next_index, journal.state()) == ([], 0, TrackerState())
    assert not (tmp_path / "journal").exists()


def test_a_chunk_that_was_not_finished_does_not_count(tmp_path, frames, state):
    journal = Journal(tmp_path, SIZE)
    journal.finish_chunk(frames[:2], state)
    journal.finish_chunk(frames[2:], state)
    (tmp_path / "000001.jsonl").unlink()  # written last
    again = Journal(tmp_path, SIZE)
    assert (again.num_chunks, again.next_index) == (1, 3)
    assert again.overlay(again.num_chunks).name == "000001.mp4"


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
def test_a_state_that_was_cut_off_is_named(tmp_path, frames, state, share):
    journal = Journal(tmp_path, SIZE)
    journal.finish_chunk(frames, state)
    path = tmp_path / "000000.npz"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"000000\.npz: damaged"):
        journal.state()


def test_what_is_known_of_a_stream_is_kept_for_when_nobody_can_be_asked(tmp_path, frames, state):
    info = VideoInfo(0, SIZE, Fraction(30000, 1001), 0.0)
    assert kept_stream(tmp_path) is None
    keep_stream(tmp_path, info)
    assert kept_stream(tmp_path) is None  # as long as there is no frame
    Journal(tmp_path, SIZE).finish_chunk(frames, state)
    assert kept_stream(tmp_path) == info
    (tmp_path / "stream.json").write_bytes(b'{"size": [7]}')
    with pytest.raises(DataError, match=r"stream\.json: damaged"):
        kept_stream(tmp_path)


def test_an_empty_list_of_frames_is_named(tmp_path, frames, state):
    journal = Journal(tmp_path, SIZE)
    journal.finish_chunk(frames, state)
    (tmp_path / "000000.jsonl").write_bytes(b"")  # which nobody writes
    with pytest.raises(DataError, match=r"000000\.jsonl: damaged"):
        _ = journal.next_index


@pytest.mark.parametrize("content", [b"", b"[1", b"\xff\xfe", b"[0, 0.0]\n"])
def test_damage_is_named(tmp_path, frames, state, content):
    journal = Journal(tmp_path, SIZE)
    journal.finish_chunk(frames, state)
    for name, read in (("npz", journal.state), ("jsonl", lambda: list(journal.frames()))):
        if name == "jsonl" and not content:
            continue  # see above
        (tmp_path / f"000000.{name}").write_bytes(content)
        with pytest.raises(DataError, match=rf"000000\.{name}: damaged"):
            read()
