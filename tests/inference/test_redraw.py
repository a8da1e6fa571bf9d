from pathlib import Path

import numpy as np
import pytest
import torch

from qivis.errors import DataError
from qivis.inference.clip_again import frames_again
from qivis.inference.redraw import redraw, tracked_in
from qivis.inference.run_folder import OVERLAY
from qivis.inference.summary import read_run
from qivis.viz import color
from tests.finished_run import GREY, LEFT, RIGHT, TIMES, make_run, pictures, times, tracked_clip

VEIL = 0.38  # of the colour over the grey of the clip
LOSS = 8  # by which H.264 may miss a colour


@pytest.fixture(scope="module")
def overlay(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run")) / OVERLAY


def veiled(track_id):
    return np.array([VEIL * channel + (1 - VEIL) * GREY for channel in color(track_id)])


def test_objects_have_the_colours_of_their_tracks(overlay):
    left, right = (82, 28), (82, 100)
    for frame, picture in enumerate(pictures(overlay)):
        assert picture[left] == pytest.approx(veiled(0), abs=LOSS)
        assert picture[right] == pytest.approx(veiled(3 if frame < 4 else 7), abs=LOSS)
        assert picture[82, 64] == pytest.approx(GREY, abs=LOSS)


def test_frames_have_the_times_of_the_clip(overlay):
    assert times(overlay) == pytest.approx(TIMES, abs=2e-5)


def test_objects_of_a_frame_are_as_the_tracker_gave_them():
    found = tracked_in(tracked_clip(), 5)
    assert (found.size, len(found)) == ((96, 128), 2)
    assert found.boxes.tolist() == [[8, 50, 48, 90], [80, 50, 120, 90]]
    assert found.track_ids.tolist() == [0, 7]
    assert found.labels.tolist() == [1, 0]
    assert found.scores.tolist() == [0.75, 0.75]
    assert found.likeness.tolist() == [0.5, 0.5]
    expected = torch.zeros(2, 96, 128, dtype=torch.bool)
    for mask, where in zip(expected, (LEFT, RIGHT), strict=True):
        mask[where] = True
    assert torch.equal(found.masks, expected)


def test_a_frame_may_be_without_objects(tmp_path):
    run = make_run(tmp_path)
    summary, clip = read_run(run)
    (run / "tracks.json").write_text("[]")
    empty = read_run(run)[1]
    assert len(tracked_in(empty, 0)) == 0
    redraw(empty, frames_again(summary), tmp_path / "empty.mp4", None, tmp_path)
    assert len(pictures(tmp_path / "empty.mp4")) == len(clip.times)


def test_without_a_frame_nothing_is_written(tmp_path):
    path = tmp_path / "out" / "overlay.mp4"
    with pytest.raises(DataError, match="not one frame was given"):
        redraw(tracked_clip(), [], path, None, tmp_path)
    assert not Path(path).exists()
