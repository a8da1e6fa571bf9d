"""decord: which files it is trusted with, where its read-ahead is cut off, and the watch on it."""

import math
from pathlib import Path

import pytest

from qivis.data.video import with_decord
from qivis.data.video.source import DecoderStoppedError
from qivis.data.video.with_decord import chunk_frames, decode_with_decord, plan_chunks

from .conftest import SIZE, MakeClip, NumberOf


def test_chunks_end_at_key_frames_within_reach() -> None:
    assert plan_chunks([0, 12, 24, 36, 48], 50, 0, longest=32) == [(0, 24), (24, 50)]
    assert plan_chunks([0, 60], 70, 0, longest=32) == [(0, 32), (32, 60), (60, 70)]
    assert plan_chunks([0], 70, 0, longest=32) == [(0, 32), (32, 64), (64, 70)]
    assert plan_chunks([0, 10, 20], 30, 15, longest=8) == [(15, 20), (20, 28), (28, 30)]
    assert plan_chunks([0], 1, 0, longest=32) == [(0, 1)]
    assert plan_chunks([0], 5, 5, longest=32) == []


def test_chunks_of_large_pictures_are_short() -> None:
    assert chunk_frames(640 * 360 * 3) == 32
    assert chunk_frames(1920 * 1080 * 3) == 10
    assert chunk_frames(2**30) == 1


def test_far_key_frames_make_the_fence_too_expensive(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chunks of 8 begin at 0, 8, 16, 24 and 32: with one key frame 80 frames are decoded again.
    monkeypatch.setattr(with_decord, "CHUNK_FRAMES", 8)
    path = make_clip("clip.mp4", options={"x264-params": "keyint=250:scenecut=0"})
    assert len(list(decode_with_decord(path, SIZE))) == 40  # short enough to need no fence
    monkeypatch.setattr(with_decord, "READ_AHEAD_BYTES", 0)
    assert len(list(decode_with_decord(path, SIZE, max_redecoding=2.0))) == 40
    with pytest.raises(DecoderStoppedError, match="key frames too far apart"):
        next(decode_with_decord(path, SIZE, max_redecoding=1.9))


def test_a_large_file_is_not_opened_again_and_again(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_decord, "READ_AHEAD_BYTES", 0)
    monkeypatch.setattr(with_decord, "LARGEST_REOPENED", 1000)
    path = make_clip("clip.mp4")
    with pytest.raises(DecoderStoppedError, match="too large to be opened once more"):
        next(decode_with_decord(path, SIZE))
    assert len(list(decode_with_decord(path, SIZE, max_redecoding=math.inf))) == 40  # insisted on


def test_a_beginning_in_the_middle_that_goes_wrong_is_noticed(
    make_clip: MakeClip, number_of: NumberOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With intra refresh, what is marked as a key frame is only complete some frames later.
    monkeypatch.setattr(with_decord, "CHUNK_FRAMES", 8)
    monkeypatch.setattr(with_decord, "READ_AHEAD_BYTES", 0)
    options = {"x264-params": "intra-refresh=1:keyint=10:bframes=0:scenecut=0"}
    path = make_clip("clip.mp4", options=options)
    shown = list[int]()
    with pytest.raises(DecoderStoppedError, match="another picture when it begins there"):
        shown.extend(number_of(frame.image) for frame in decode_with_decord(path, SIZE))


def test_what_decord_says_is_told_without_its_stack(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("no video")
    with pytest.raises(DecoderStoppedError) as caught:
        next(decode_with_decord(path, SIZE))
    assert str(caught.value) == (
        f"{path}: not a video that can be read (Invalid data found when processing input)"
    )
