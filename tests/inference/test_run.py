import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from qivis.config.schema import TrackingConfig
from qivis.data.video import open_video
from qivis.errors import VideoError
from qivis.export.tracks_json import read_tracks
from qivis.inference import recorder
from qivis.inference.journal import Journal
from qivis.inference.predictor import load_predictor
from qivis.inference.run import Plan, gather, run_clip, wanted
from qivis.inference.run_folder import OVERLAY, TRACKS, UNFINISHED, begin_run
from qivis.structures import Categories, Category, Detections

ROOT = Path(__file__).parents[2]
EVERYTHING = Plan(stride=1, seconds=None, labels=None, overlay=True, frames_per_call=4)
CHUNK = 12  # frames; that of the program would make the tests long
LENGTH = 30  # more than two chunks
LONG = 150  # more than two chunks of the program


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_FRAMES", CHUNK)


@pytest.fixture(scope="module")
def predictor(tiny_weights):
    predictor = load_predictor(tiny_weights, "cpu")
    tracking = replace(predictor.tracking, birth_score=0.0, keep_score=0.0)
    return replace(predictor, tracking=tracking, score_threshold=0.0, max_detections=3)


def write_clip(path, length):
    """A bright square that moves; from the middle on, at half the rate."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=30)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for index in range(length):
            picture = np.full((32, 48, 3), 40, np.uint8)
            picture[8:20, index % 36 : index % 36 + 12] = (220, 180, 60)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = 33 * index + 33 * max(index - length // 2, 0)
            frame.time_base = Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mkv"
    write_clip(path, LENGTH)
    return path


def run(clip, predictor, folder, plan=EVERYTHING, progress=iter, decoder="auto"):
    begin_run(folder, {}, resume=True, overwrite=False)
    with open_video(clip, decoder) as reader:
        return run_clip(str(clip), reader, predictor, folder, plan, progress)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in (TRACKS, OVERLAY)}


@pytest.fixture
def whole(clip, predictor, tmp_path):
    """The results of a run that nothing disturbed."""
    folder = tmp_path / "whole"
    found = run(clip, predictor, folder)
    assert len(found.times) == LENGTH
    assert found.tracks
    return contents(folder)


def test_the_overlay_has_the_times_of_the_clip(clip, predictor, tmp_path):
    run(clip, predictor, tmp_path / "run")
    times = []
    for path in (clip, tmp_path / "run" / OVERLAY):
        with av.open(str(path)) as container:
            times.append([frame.time for frame in container.decode(video=0)])
    assert times[1] == pytest.approx(times[0], abs=2e-5)


@pytest.mark.parametrize("frames_per_call", [1, 7])
def test_results_do_not_depend_on_how_many_frames_are_seen_at_once(
    clip, predictor, tmp_path, whole, frames_per_call
):
    run(clip, predictor, tmp_path / "run", replace(EVERYTHING, frames_per_call=frames_per_call))
    assert contents(tmp_path / "run") == whole


def test_results_do_not_depend_on_how_fast_frames_are_taken(clip, predictor, tmp_path, whole):
    def hesitant(stream):
        pauses = random.Random(0)
        for item in stream:
            time.sleep(pauses.choice((0, 0, 0.01)))
            yield item

    run(clip, predictor, tmp_path / "run", progress=hesitant)
    assert contents(tmp_path / "run") == whole


def test_results_do_not_depend_on_the_decoder(clip, predictor, tmp_path, whole):
    run(clip, predictor, tmp_path / "run", decoder="pyav")
    assert contents(tmp_path / "run") == whole


def cut_after(number):
    def progress(stream):
        for count, item in enumerate(stream):
            if count == number:
                raise KeyboardInterrupt
            yield item

    return progress


@pytest.mark.parametrize("number", [3, 16, 29])
def test_a_run_that_is_cut_short_goes_on_to_the_same_results(
    clip, predictor, tmp_path, whole, number
):
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(clip, predictor, folder, progress=cut_after(number))
    assert [path.name for path in folder.iterdir()] == [UNFINISHED]
    done = Journal(folder / UNFINISHED, (32, 48)).next_index
    assert done == {3: 0, 16: 12, 29: 24}[number]
    run(clip, predictor, folder)
    assert contents(folder) == whole


def test_a_run_that_is_cut_short_at_its_very_end_is_only_put_together(
    clip, predictor, tmp_path, whole
):
    folder = tmp_path / "run"
    run(clip, predictor, folder)
    (folder / OVERLAY).unlink()
    (folder / TRACKS).unlink()

    def nothing_to_do(stream):
        assert list(stream) == []
        return []

    run(clip, predictor, folder, progress=nothing_to_do)
    assert contents(folder) == whole


def test_only_frames_at_the_stride_are_looked_at(clip, predictor, tmp_path):
    found = run(clip, predictor, tmp_path / "run", replace(EVERYTHING, stride=10))
    assert found.times == pytest.approx([0.0, 0.33, 0.825], abs=1e-3)
    assert found.fps == open_video(clip).info.fps / 10


def test_the_rest_of_the_clip_is_left_out(clip, predictor, tmp_path):
    found = run(clip, predictor, tmp_path / "run", replace(EVERYTHING, seconds=0.1))
    assert found.times == pytest.approx([0.0, 0.033, 0.066, 0.099], abs=1e-3)


def test_without_an_overlay_there_are_only_tracks(clip, predictor, tmp_path):
    run(clip, predictor, tmp_path / "run", replace(EVERYTHING, seconds=0.1, overlay=False))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [UNFINISHED, TRACKS]


def test_a_reading_can_begin_anywhere_with_the_same_numbers(clip):
    plan = replace(EVERYTHING, stride=7)
    with open_video(clip) as reader:
        everything = [(frame.index, frame.seconds) for frame in wanted(reader, plan)]
        assert [(f.index, f.seconds) for f in wanted(reader, plan, 5)] == everything[5:]


def test_lost_frames_keep_their_places(clip, predictor, tmp_path):
    run(clip, predictor, tmp_path / "run", replace(EVERYTHING, seconds=0.3))
    journal = Journal(tmp_path / "run" / UNFINISHED, (32, 48))
    lines = (tmp_path / "run" / UNFINISHED / "000000.jsonl").read_text().splitlines()
    kept = [line for index, line in enumerate(lines) if index not in (2, 3)]
    (tmp_path / "run" / UNFINISHED / "000000.jsonl").write_text("\n".join(kept))
    found = gather(journal, open_video(clip).info, predictor, lost=[2, 3, len(lines)])
    unknown = [index for index, seconds in enumerate(found.times) if seconds is None]
    assert unknown == [2, 3, len(lines)]
    assert all(track.views[index] is None for track in found.tracks for index in unknown)


@pytest.mark.parametrize(("seconds", "expected"), [(0.25, 3), (0.35, 4), (None, 6)])
def test_what_is_lost_behind_the_end_does_not_count(predictor, tmp_path, seconds, expected):
    for number in range(6):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")  # ten a second: at 0.3 s
    plan = replace(EVERYTHING, seconds=seconds, overlay=False)
    found = run(tmp_path, predictor, tmp_path / "run", plan)
    assert len(found.times) == expected
    assert found.times[3:4] == ((None,) if expected > 3 else ())


def test_a_clip_without_a_frame_is_an_error_that_names_it(predictor, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(pictures / f"{number}.png")
    (pictures / "0.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="pictures: none of the frames that were asked for could"):
        run(pictures, predictor, tmp_path / "run", replace(EVERYTHING, stride=3))


def test_frames_that_are_lost_at_the_end_count_for_what_is_drawn(predictor, tmp_path):
    """A track must be seen in two frames if there are as many; here one can be decoded."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shades = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(shades).save(pictures / "0.png")

    def overlay(name, labels):
        plan = replace(EVERYTHING, labels=labels)
        found = run(pictures, predictor, tmp_path / name, plan)
        return len(found.tracks), (tmp_path / name / OVERLAY).read_bytes()

    bare, drawn = overlay("alone, no classes", ()), overlay("alone", None)
    assert drawn[0] > bare[0] == 0
    assert drawn[1] != bare[1]
    for number in (1, 2):
        (pictures / f"{number}.png").write_bytes(b"no picture")
    assert predictor.tracking.min_frames == 2
    assert overlay("with lost ones", None) == bare


class Oracle:
    """Sees the same square in every frame of a clip, and takes it for what `labels` says."""

    tracking = TrackingConfig(association="overlap", min_frames=3)
    categories = Categories((Category(1, "person"), Category(18, "dog")))

    def __init__(self, labels):
        self.labels = iter(labels)

    def __call__(self, images):
        return [self.find(next(self.labels)) for _ in images]

    def find(self, label):
        masks = torch.zeros(1, 32, 48, dtype=torch.bool)
        masks[:, 8:20, 10:30] = True
        boxes, scores = torch.tensor([[10.0, 8, 30, 20]]), torch.tensor([0.9])
        seen = (boxes, torch.tensor([label]), scores, masks, torch.zeros(1, 1))
        return Detections((32, 48), *seen)


PERSON, DOG = 0, 1
AT_FIRST_A_PERSON = [PERSON] * 8 + [DOG] * (LENGTH - 8)  # in the first chunk and in the second


@pytest.mark.parametrize("labels", [None, (DOG,)], ids=["all", "dogs"])
def test_the_class_of_a_track_is_that_which_it_has_in_the_end(clip, tmp_path, labels):
    plan = replace(EVERYTHING, labels=labels)
    found = run(clip, Oracle(AT_FIRST_A_PERSON), tmp_path / "turning", plan)
    drawn = list(Journal(tmp_path / "turning" / UNFINISHED, (32, 48)).frames())
    assert [seen.label for frame in drawn for seen in frame.seen][:: LENGTH - 1] == [PERSON, DOG]
    run(clip, Oracle([DOG] * LENGTH), tmp_path / "always", plan)
    (track,) = found.tracks
    assert (track.label, track.num_seen) == (DOG, LENGTH)
    assert contents(tmp_path / "turning") == contents(tmp_path / "always")


def test_what_is_of_another_class_in_the_end_is_nowhere(clip, tmp_path):
    plan = replace(EVERYTHING, labels=(PERSON,))
    found = run(clip, Oracle(AT_FIRST_A_PERSON), tmp_path / "turning", plan)
    run(clip, Oracle([DOG] * LENGTH), tmp_path / "never", plan)
    assert found.tracks == ()
    assert contents(tmp_path / "turning") == contents(tmp_path / "never")


@pytest.mark.slow
def test_twenty_runs_that_are_killed_at_any_time_give_the_same_files(tiny_weights, tmp_path):
    """Each kill is a SIGKILL of the command, at a time drawn from its whole duration."""

    def command(out):
        options = ["--weights", str(tiny_weights), "--score", "0", "--out", str(out), "--resume"]
        return [sys.executable, str(ROOT / "tools" / "infer_video.py"), str(clip), *options]

    clip = tmp_path / "clip.mkv"
    write_clip(clip, LONG)
    started = time.perf_counter()
    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    duration = time.perf_counter() - started
    whole = contents(tmp_path / "whole" / "clip")
    draw, killed, finished = random.Random(0), 0, 0
    while killed < 20:
        out = tmp_path / str(finished)
        process = subprocess.Popen(
            command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(draw.uniform(0.3, 1.0) * duration)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            visible = {path.name for path in out.glob("clip/*")}
            for name in visible & whole.keys():  # what has its final name is whole
                assert (out / "clip" / name).read_bytes() == whole[name]
        else:
            assert process.returncode == 0
            assert contents(out / "clip") == whole
            finished += 1
    subprocess.run(command(out), check=True, capture_output=True)
    assert contents(out / "clip") == whole
    assert not (out / "clip" / UNFINISHED).exists()


def test_what_is_written_can_be_read_again(clip, predictor, tmp_path):
    found = run(clip, predictor, tmp_path / "run", replace(EVERYTHING, seconds=0.3))
    again = read_tracks(
        tmp_path / "run" / TRACKS, found.size, found.fps, found.times, found.categories
    )
    assert again.tracks == found.tracks
    assert json.loads((tmp_path / "run" / TRACKS).read_text())
