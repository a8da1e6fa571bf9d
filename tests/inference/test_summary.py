import json
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from qivis.errors import DataError
from qivis.export.tracks_json import write_tracks
from qivis.inference.run_folder import SUMMARY, TRACKS
from qivis.inference.summary import read_run, summarize, with_tracks, write_summary
from qivis.ops import rle
from qivis.structures import Categories, Category, Track, TrackedClip, View

TASK = {"stride": 1, "weights_sha256": "abc"}


@pytest.fixture
def clip():
    (mask,) = rle.encode(torch.ones(1, 4, 6, dtype=torch.bool))
    view = View(mask, 0.5, 1.0)
    tracks = (Track(0, 1, (view, None, view)), Track(2, 0, (None, None, view)))
    categories = Categories((Category(3, "cat"), Category(7, "dog")))
    return TrackedClip((4, 6), Fraction(30000, 1001), (0.0, None, 0.1), categories, tracks)


@pytest.fixture
def folder(clip, tmp_path):
    write_tracks(clip, tmp_path / TRACKS)
    write_summary(summarize(clip, "my/clip.mp4", "clip", TASK, 1.5, "cpu"), tmp_path)
    return tmp_path


def test_a_run_is_read_back_as_it_was(folder, clip):
    summary, found = read_run(folder)
    assert found == clip
    assert (summary.source, summary.name, summary.device) == ("my/clip.mp4", "clip", "cpu")


def test_the_summary_says_what_came_of_it_and_what_it_depends_on(folder):
    content = json.loads((folder / SUMMARY).read_text())
    assert (content["width"], content["height"], content["fps"]) == (6, 4, "30000/1001")
    assert (content["frames"], content["lost_frames"]) == (3, [1])
    assert (content["tracks"], content["longest"], content["run_seconds"]) == (2, 2, 1.5)
    assert content["task"] == TASK
    assert content["versions"]["torch"] == torch.__version__
    assert content["categories"] == [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]


def test_after_edits_it_says_which_and_what_came_of_them(folder, clip):
    before, _ = read_run(folder)
    assert list(before.edits) == []
    edited = replace(clip, tracks=clip.tracks[1:])
    write_summary(with_tracks(before, edited, ["--drop 0"]), folder)
    write_tracks(edited, folder / TRACKS)
    after, found = read_run(folder)
    assert (after.tracks, after.longest, after.edits) == (1, 1, ["--drop 0"])
    assert found == edited
    assert replace(after, tracks=2, longest=2, edits=before.edits) == before


def test_without_tracks_it_tells_the_times_of_the_frames(folder, clip):
    before, _ = read_run(folder)
    assert before.times == []  # tracks.json tells them
    empty = replace(clip, tracks=(), times=(0.0, None, 0.7654321))
    write_tracks(empty, folder / TRACKS)
    write_summary(with_tracks(before, empty, ["--drop 0", "--drop 2"]), folder)
    assert json.loads((folder / SUMMARY).read_text())["times"] == [0.0, None, 0.765432]
    assert read_run(folder)[1].times == (0.0, None, 0.765432)
    assert summarize(empty, "", "", TASK, 1.5, "cpu").times == [0.0, None, 0.765432]


def test_a_summary_of_an_earlier_version_tells_of_no_edits_and_no_times(folder, clip):
    write_tracks(replace(clip, tracks=()), folder / TRACKS)
    content = json.loads((folder / SUMMARY).read_text())
    for field in ("edits", "missing", "times"):
        del content[field]
    (folder / SUMMARY).write_text(json.dumps(content))
    summary, found = read_run(folder)
    assert (summary.edits, summary.missing) == ((), ())
    assert found.times == (0.0, None, pytest.approx(2 * 1001 / 30000))  # 1 was lost


def test_a_frame_rate_that_is_none_is_told(folder):
    content = json.loads((folder / SUMMARY).read_text()) | {"fps": "0/0"}
    (folder / SUMMARY).write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"summary\.json: cannot be read .*Fraction\(0, 0\)"):
        read_run(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"source": 1}'])
def test_another_file_of_that_name_is_an_error_with_a_remedy(folder, content):
    (folder / SUMMARY).write_text(content)
    with pytest.raises(DataError, match=r"summary\.json: .*expected the folder of a finished run"):
        read_run(folder)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(DataError, match=r"summary\.json: cannot be read"):
        read_run(tmp_path)
