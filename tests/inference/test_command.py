import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from qivis.files import locked
from qivis.inference.command import main
from qivis.inference.journal import CHUNK_FRAMES
from qivis.inference.run_folder import BEFORE_EDIT
from tests.interrupted import interruptible, wait_for_chunk

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clip(shapes):
    return shapes / "clip.mp4"


@pytest.fixture
def run(tiny_weights, tmp_path, capsys):
    """Runs the command; gives its exit code, lines of stdout and lines of stderr, without bars."""

    def run_command(*arguments, weights=tiny_weights):
        options = ["--weights", str(weights), "--out", str(tmp_path / "runs")]
        code = main([*map(str, arguments), *options])
        printed = capsys.readouterr()
        complaints = [line for line in printed.err.splitlines() if "qivis-infer: " in line]
        return code, printed.out.splitlines(), complaints

    return run_command


def test_a_clip_becomes_a_folder_whose_path_is_printed_last(run, clip, tmp_path):
    code, lines, complaints = run(clip, "--score", 0)
    assert (code, complaints) == (0, [])
    assert lines[-1] == str(tmp_path / "runs" / "clip")
    assert sorted(p.name for p in Path(lines[-1]).iterdir()) == [
        "overlay.mp4",
        "summary.json",
        "tracks.json",
    ]
    entries = json.loads((Path(lines[-1]) / "tracks.json").read_text())
    assert {len(entry["segmentations"]) for entry in entries} == {8}


def test_the_first_line_says_what_runs_and_each_clip_has_a_summary(run, clip, tiny_weights):
    _, lines, _ = run(clip, "--score", 0, "--device", "cpu")
    assert len(lines) == 3
    assert "torch " in lines[0]
    assert "device cpu" in lines[0]
    assert str(tiny_weights) in lines[0]
    assert lines[1].startswith(f"{clip}: 8 frames, ")
    assert "0 frames lost" in lines[1]


@pytest.mark.parametrize(
    ("options", "association"),
    [((), "query"), (("--association", "overlap"), "overlap")],
    ids=["as the weights recommend", "asked"],
)
def test_objects_are_recognised_as_asked(run, clip, options, association):
    code, lines, _ = run(clip, "--score", 0, *options)
    assert code == 0
    assert lines[0].endswith(f"association by {association}")
    assert json.loads(Path(lines[-1], "tracks.json").read_text())


def test_learned_embeddings_are_used_where_the_weights_have_them(run, clip, embedding_weights):
    _, lines, _ = run(clip, "--score", 0, weights=embedding_weights)
    assert lines[0].endswith("association by embedding")
    assert json.loads(Path(lines[-1], "tracks.json").read_text())


def test_learned_embeddings_that_are_not_there_end_it_all_in_one_line(run, clip, tiny_weights):
    code, lines, complaints = run(clip, clip, "--association", "embedding")
    assert (code, lines, len(complaints)) == (2, [], 1)
    assert f"{tiny_weights}: association by embedding needs an association head" in complaints[0]
    assert "associate by query or overlap" in complaints[0]


def test_nothing_is_overwritten(run, clip):
    folders = [run(clip, "--score", 0)[1][-1] for _ in range(2)]
    assert [Path(folder).name for folder in folders] == ["clip", "clip-2"]


def test_a_run_may_take_the_place_of_an_earlier_one(run, clip):
    folders = [run(clip, "--score", 0, "--overwrite")[1][-1] for _ in range(2)]
    assert [Path(folder).name for folder in folders] == ["clip", "clip"]


def test_a_run_that_fails_takes_the_place_of_none(run, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, width in enumerate((64, 64, 32)):
        Image.fromarray(np.zeros((48, width, 3), np.uint8)).save(pictures / f"{number}.png")
    folder = Path(run(pictures, "--max-frames", 2)[1][-1])
    before = (folder / "overlay.mp4").read_bytes()
    code, _, (complaint,) = run(pictures, "--overwrite")
    assert code == 2
    assert "32 x 48 pixels" in complaint
    assert [path.name for path in folder.parent.iterdir()] == ["pictures"]
    assert (folder / "overlay.mp4").read_bytes() == before


def test_what_cannot_be_looked_at_does_not_stand_in_the_way_of_others(run, clip, tmp_path):
    (tmp_path / "mixed").mkdir()
    for name in ("a.png", "b.mp4"):
        (tmp_path / "mixed" / name).touch()
    sources = ["x" * 300, tmp_path / "mixed" / "*", clip]
    code, lines, (endless, mixed) = run(*sources, "--max-frames", 2)
    assert (code, Path(lines[-1]).name) == (2, "clip")
    assert endless.endswith("x: cannot be read (File name too long)")
    assert "matches pictures, such as a.png, and videos, such as b.mp4" in mixed


@pytest.mark.parametrize("closes", [False, True], ids=["ASCII", "nobody listens any more"])
def test_clips_are_done_whoever_is_told(clip, tiny_weights, tmp_path, closes):
    sources = [tmp_path / name for name in ("b\u00fcro.mp4", "other.mp4")]
    for source in sources:
        shutil.copyfile(clip, source)
    command = [sys.executable, str(ROOT / "tools" / "infer_video.py"), *map(str, sources)]
    command += ["--weights", str(tiny_weights), "--out", str(tmp_path / "runs"), "--max-frames=2"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=-1, env=environment)
    if closes:
        process.stdout.close()
        process.stdout = None
    printed, complaints = process.communicate(timeout=100)
    assert process.returncode == 0, complaints
    assert b"Error" not in complaints
    assert closes or rb"b\xfcro.mp4: 2 frames" in printed
    for source in sources:
        assert (tmp_path / "runs" / source.stem / "tracks.json").is_file()


@pytest.mark.parametrize("source", ["-", "http://127.0.0.1:9/x"])
def test_what_is_live_is_not_for_several_processes(run, source):
    code, _, (complaint,) = run(source, "--shard", "0/1")
    assert (code, complaint) == (
        2,
        f"qivis-infer: {source}: is live, and not for many processes; run qivis-infer on it",
    )


def test_a_run_may_have_a_name(run, clip):
    assert Path(run(clip, "--score", 0, "--name", "mine")[1][-1]).name == "mine"


def test_one_name_for_several_clips_is_refused(run, clip):
    code, lines, (complaint,) = run(clip, clip.parent / "other.mp4", "--score", 0, "--name", "mine")
    assert (code, lines) == (2, [])
    assert "--name: 'mine' is one name for 2 clips" in complaint


def test_what_is_done_is_not_done_again(run, clip):
    first = run(clip, "--score", 0, "--resume")[1]
    overlay = Path(first[-1], "overlay.mp4")
    written = overlay.stat().st_mtime_ns
    code, lines, _ = run(clip, "--score", 0, "--resume")
    assert (code, lines[1:]) == (0, [f"{clip}: is done already", first[-1]])
    assert overlay.stat().st_mtime_ns == written


def test_further_files_can_be_had_of_what_is_done(run, clip):
    run(clip, "--score", 0, "--resume")
    _, lines, _ = run(clip, "--score", 0, "--resume", "--export", "mot", "cutouts")
    assert {"mot.txt", "cutouts"} <= {path.name for path in Path(lines[-1]).iterdir()}


def test_nothing_is_had_of_a_run_whose_edit_was_cut_short(run, clip):
    _, lines, _ = run(clip, "--score", 0)
    (Path(lines[-1]) / BEFORE_EDIT).mkdir()
    code, _, (complaint,) = run(clip, "--score", 0, "--resume", "--export", "mot")
    assert code == 2
    assert "an edit was cut short; have it done or undone by tools/edit_tracks.py" in complaint
    assert not Path(lines[-1], "mot.txt").exists()


def test_what_a_kill_has_left_of_exports_is_removed(run, clip):
    _, lines, _ = run(clip, "--score", 0, "--export", "mot")
    left = Path(lines[-1], ".png.abc.part")
    left.mkdir()
    (left / "00000.png").touch()
    assert run(clip, "--score", 0, "--resume", "--export", "mot")[0] == 0
    assert not left.exists()


def test_pictures_that_were_exchanged_are_another_clip(run, tmp_path):
    pictures = [tmp_path / "pictures" / f"{index}.png" for index in range(2)]
    pictures[0].parent.mkdir()
    for shade in (50, 60):  # of the same size to the byte
        for path in pictures:
            Image.new("RGB", (96, 64), (shade, shade, shade)).save(path)
        _, lines, _ = run(pictures[0].parent, "--score", 0, "--resume")
        assert not lines[1].endswith("is done already")
    assert Path(lines[-1]).name == "pictures-2"


def test_a_glob_means_the_files_of_the_folder_in_which_it_was_given(run, tmp_path, monkeypatch):
    for folder in ("first", "second"):
        (tmp_path / folder / "frames").mkdir(parents=True)
        Image.new("RGB", (96, 64)).save(tmp_path / folder / "frames" / "0.png")
        monkeypatch.chdir(tmp_path / folder)
        _, lines, _ = run("frames/*.png", "--score", 0, "--resume")
        source = json.loads(Path(lines[-1], "summary.json").read_text())["task"]["source"]
        assert source == str(tmp_path / folder / "frames" / "*.png")


@pytest.mark.parametrize("asked", [["--export", "csv", "cutouts"], ["--save", "review"]])
def test_what_needs_the_pictures_of_something_live_once_more_is_refused_at_once(run, asked):
    code, lines, (complaint,) = run("-", *asked)
    assert (code, lines) == (2, [])
    assert complaint.endswith(f"-: is live, and cannot be seen once more; leave out {asked[-1]}")


def test_the_bar_ends_where_the_clip_is_left(run, clip, capsys):
    for limits, total in ((["--max-frames", 5], 5), (["--seconds", 0.3, "--stride", 2], 2)):
        main([str(clip), "--out", str(clip.parent / "runs"), *map(str, limits)])
        assert f"/{total} [" in capsys.readouterr().err


def test_what_was_live_is_never_done_already(run, clip, tmp_path, monkeypatch):
    folders = []
    for _ in range(2):
        with clip.open("rb") as stream:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(stream.raw)))
            _, lines, complaints = run("-", "--score", 0, "--resume", "--name", "pipe")
        assert complaints == []
        folders.append(Path(lines[-1]).name)
    assert folders == ["pipe", "pipe-2"]


def test_without_anything_to_look_at_there_are_only_numbers(run, clip):
    _, lines, _ = run(clip, "--score", 0, "--save")
    assert sorted(p.name for p in Path(lines[-1]).iterdir()) == ["summary.json", "tracks.json"]


def test_only_frames_at_the_stride_are_looked_at_until_the_time_is_over(run, clip):
    _, lines, _ = run(clip, "--score", 0, "--stride", 2, "--max-frames", 5)
    summary = json.loads(Path(lines[-1], "summary.json").read_text())
    assert (summary["frames"], summary["lost_frames"]) == (3, [])
    assert summary["task"]["stride"] == 2


def test_the_size_of_what_the_network_sees_can_be_chosen(run, clip):
    _, lines, _ = run(clip, "--score", 0, "--imgsz", 48)
    shape = json.loads(Path(lines[-1], "summary.json").read_text())["task"]["input"]
    assert (shape["short_side"], shape["long_side"]) == (48, 72)  # the weights say 64 and 96


def test_the_summary_names_the_weights_by_their_checksum(run, clip, tiny_weights):
    _, lines, _ = run(clip, "--score", 0)
    summary = json.loads(Path(lines[-1], "summary.json").read_text())
    expected = hashlib.sha256(tiny_weights.read_bytes()).hexdigest()
    assert summary["task"]["weights_sha256"] == expected
    assert summary["task"]["bytes"] == clip.stat().st_size


def test_frames_that_are_too_large_are_refused(run, clip):
    code, lines, (complaint,) = run(clip, "--max-pixels", 1000)
    assert (code, lines) == (2, [])
    assert "--max-pixels" in complaint


@pytest.fixture
def clips(clip, tmp_path):
    """Three clips of one name and one of another."""
    for name in ("a/clip.mp4", "b/clip.mp4", "c/clip.mp4", "other.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(clip.read_bytes())
    return [tmp_path / name for name in ("a/clip.mp4", "b/clip.mp4", "c/clip.mp4", "other.mp4")]


def sources_by_folder(runs):
    return {
        folder.name: json.loads((folder / "summary.json").read_text())["source"]
        for folder in runs.iterdir()
    }


def test_shards_do_each_clip_once_in_folders_that_do_not_hang_on_who_is_first(run, clips, tmp_path):
    expected = dict(zip(["clip", "clip-2", "clip-3", "other"], map(str, clips), strict=True))
    for shard, count in (("1/3", 1), ("2/3", 1), ("0/3", 2)):
        code, lines, _ = run(*clips, "--score", 0, "--max-frames", 2, "--shard", shard)
        assert (code, lines[0]) == (0, f"shard {shard}: {count} of 4 clips")
    assert sources_by_folder(tmp_path / "runs") == expected
    code, lines, _ = run(*clips, "--score", 0, "--max-frames", 2, "--shard", "1/3")
    assert (code, lines[2]) == (0, f"{clips[1]}: is done already")
    assert sources_by_folder(tmp_path / "runs") == expected


def test_torchrun_says_which_shard_a_process_does(run, clips, tmp_path, monkeypatch):
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    code, lines, _ = run(*clips, "--score", 0, "--device", "cpu", "--max-frames", 2)
    assert (code, lines[0]) == (0, "shard 3/4: 1 of 4 clips")
    assert sources_by_folder(tmp_path / "runs") == {"other": str(clips[3])}


def test_more_shards_than_clips_leave_nothing_to_do(run, clip):
    code, lines, complaints = run(clip, "--shard", "1/2", weights="nobody_looks")
    assert (code, lines, complaints) == (0, ["shard 1/2: 0 of 1 clips"], [])


@pytest.mark.parametrize("options", [("--shard", "0/1"), ("--overwrite",), ("--resume",)])
def test_a_clip_that_another_process_does_is_left_to_it(run, clip, tmp_path, options):
    run(clip, "--score", 0, "--save")
    tracks = tmp_path / "runs" / "clip" / "tracks.json"
    before = tracks.stat()
    with locked(tmp_path / "runs" / ".clip.lock"):
        code, _, (complaint,) = run(clip, "--score", 0, "--save", *options)
    assert code == 2
    assert "another process is at work on this run" in complaint
    assert (tracks.stat().st_ino, tracks.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def transport_stream(path, num_frames):
    """MPEG-TS, which can be read while it is written."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(num_frames):
            picture = np.full((48, 64, 3), index % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize("pause", [0, 8], ids=["while it works", "while it waits for more"])
def test_a_stream_from_a_pipe_that_is_interrupted_is_a_clip(tiny_weights, tmp_path, pause):
    transport_stream(tmp_path / "clip.ts", 6 * CHUNK_FRAMES)  # FFmpeg first looks at 5 seconds
    out = tmp_path / "runs"
    command = [sys.executable, "tools/infer_video.py", "-", "--name", "piped", "--score", "0"]
    options = ["--weights", str(tiny_weights), "--out", str(out)]
    with (
        interruptible(),
        subprocess.Popen(
            [*command, *options], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process,
    ):
        process.stdin.write((tmp_path / "clip.ts").read_bytes())
        process.stdin.flush()  # and more may come: the pipe stays open
        wait_for_chunk(out / "piped")
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    summary = json.loads((out / "piped" / "summary.json").read_text())
    assert summary["frames"] >= CHUNK_FRAMES
    with av.open(str(out / "piped" / "overlay.mp4")) as video:
        assert len(list(video.decode(video=0))) == summary["frames"]
    assert not (out / "piped" / ".unfinished").exists()


def test_what_a_stream_has_shown_to_a_process_that_was_killed_is_put_together(
    tiny_weights, tmp_path
):
    transport_stream(tmp_path / "clip.ts", 6 * CHUNK_FRAMES)
    out = tmp_path / "runs"
    command = [sys.executable, "tools/infer_video.py", "-", "--name", "piped", "--score", "0"]
    command += ["--weights", str(tiny_weights), "--out", str(out)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        process.stdin.write((tmp_path / "clip.ts").read_bytes())
        process.stdin.flush()
        wait_for_chunk(out / "piped")
        process.kill()
    again = [*command, "--resume"]  # and the stream is over
    subprocess.run(again, cwd=ROOT, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    summary = json.loads((out / "piped" / "summary.json").read_text())
    assert (summary["width"], summary["height"], summary["fps"]) == (64, 48, "25")
    assert summary["frames"] % CHUNK_FRAMES == 0 < summary["frames"]
    with av.open(str(out / "piped" / "overlay.mp4")) as video:
        assert len(list(video.decode(video=0))) == summary["frames"]
    assert [path.name for path in out.iterdir()] == ["piped"]


@pytest.fixture
def run_interrupted(run, monkeypatch):
    """As `run`, but Ctrl-C comes when all frames are done, and not put together."""

    def interrupt(*_):
        raise KeyboardInterrupt

    def run_command(*arguments):
        with monkeypatch.context() as patched:
            patched.setattr("qivis.inference.run.write_tracks", interrupt)
            return run(*arguments)

    return run_command


def test_a_run_that_is_cut_short_says_where_the_one_is_that_it_replaces(
    run, run_interrupted, clip, tmp_path, caplog
):
    folder = Path(run(clip, "--score", 0)[1][-1])
    tracks = (folder / "tracks.json").read_bytes()
    assert run_interrupted(clip, "--score", 0, "--overwrite")[0] == 130
    (waiting,) = caplog.messages
    assert f"{folder}: not finished" in waiting
    earlier = Path(waiting.rpartition(" ")[2])
    assert (earlier / "tracks.json").read_bytes() == tracks
    assert run(clip, "--score", 0, "--resume")[2] == []
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["clip"]


def test_frames_a_second_are_those_of_this_process(run, run_interrupted, clip):
    assert run_interrupted(clip, "--score", 0)[0] == 130
    _, lines, _ = run(clip, "--score", 0, "--resume")
    assert "8 frames, " in lines[1]
    assert ", 0.0 fps, " in lines[1]


def test_a_run_that_goes_on_may_spell_the_weights_in_another_way(
    run, run_interrupted, clip, tiny_weights, tmp_path, monkeypatch
):
    assert run_interrupted(clip, "--score", 0)[0] == 130
    monkeypatch.chdir(tiny_weights.parent)
    code, lines, _ = run(clip, "--score", 0, "--resume", weights=tiny_weights.name)
    assert (code, lines[-1]) == (0, str(tmp_path / "runs" / "clip"))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["clip"]


def test_a_bad_source_costs_a_line_and_leaves_the_others_alone(run, clip, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    code, lines, complaints = run(tmp_path / "gone.mp4", text, clip, "--score", 0)
    assert code == 2
    assert len(complaints) == 2
    assert "gone.mp4" in complaints[0]
    assert "notes.mp4" in complaints[1]
    assert Path(lines[-1], "tracks.json").exists()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["clip"]


def test_bad_sources_alone_are_named_without_loading_any_weights(run, tmp_path):
    code, lines, complaints = run(tmp_path / "gone.mp4", "--weights", "also_gone.safetensors")
    assert (code, lines, len(complaints)) == (2, [], 1)


def test_a_folder_of_pictures_is_a_clip_of_its_name(run, shapes):
    (folder, *_) = sorted((shapes / "ytvis" / "valid" / "JPEGImages").iterdir())
    code, lines, _ = run(folder, "--score", 0)
    assert (code, Path(lines[-1]).name) == (0, folder.name)


def test_a_quoted_glob_of_pictures_is_named_after_its_folder(run, shapes):
    (folder, *_) = sorted((shapes / "ytvis" / "valid" / "JPEGImages").iterdir())
    code, lines, _ = run(folder / "*.jpg", "--score", 0)
    assert (code, Path(lines[-1]).name) == (0, folder.name)


def test_a_quoted_glob_of_videos_is_all_of_them(run, clip, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(clip.read_bytes())
    code, lines, _ = run(tmp_path / "*.mp4", "--score", 0)
    assert code == 0
    assert [Path(line).name for line in (lines[2], lines[4])] == ["a", "b"]


def test_exports_of_a_folder_of_pictures_have_their_names(run, tmp_path, monkeypatch):
    pictures = tmp_path / "bear"
    pictures.mkdir()
    for number in (5, 10, 15, 20, 100):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(pictures / f"img_{number}.png")
    monkeypatch.chdir(pictures)
    _, lines, _ = run(".", "--stride", 2, "--export", "ytvis", "png")
    names = ["img_5.png", "img_15.png", "img_100.png"]
    folder = Path(lines[-1])
    (video,) = json.loads((folder / "ytvis.json").read_text())["videos"]
    assert video["file_names"] == [f"bear/{name}" for name in names]
    assert sorted(path.name for path in (folder / "png").iterdir()) == sorted(names)


def test_only_the_asked_classes_are_written(run, clip):
    _, everything, _ = run(clip, "--score", 0)
    _, squares, _ = run(clip, "--score", 0, "--classes", "square")
    of_all = json.loads(Path(everything[-1], "tracks.json").read_text())
    of_squares = json.loads(Path(squares[-1], "tracks.json").read_text())
    assert {entry["category"] for entry in of_all} > {"square"}
    assert {entry["category"] for entry in of_squares} == {"square"}


def test_a_score_that_nothing_reaches_starts_no_track(run, clip):
    code, lines, _ = run(clip, "--score", 1)
    assert code == 0
    assert json.loads(Path(lines[-1], "tracks.json").read_text()) == []


def test_an_unknown_class_is_answered_with_the_known_ones(run, clip, tmp_path):
    code, lines, complaints = run(clip, "--classes", "sqare")
    assert (code, lines) == (2, [])
    assert "did you mean 'square'? known: circle, square, triangle" in complaints[0]
    assert list((tmp_path / "runs").iterdir()) == []


def test_unreadable_weights_end_it_all_in_one_line(clip, tmp_path, capsys):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    runs = tmp_path / "runs"
    assert main([str(clip), str(clip), "--weights", str(broken), "--out", str(runs)]) == 2
    (complaint,) = capsys.readouterr().err.splitlines()
    assert "broken.safetensors" in complaint


def test_an_output_folder_that_cannot_be_is_named_first(clip, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["gone.mp4", "--weights", "gone", "--out", str(tmp_path / "file" / "runs")]) == 2
    (complaint,) = capsys.readouterr().err.splitlines()
    assert "cannot write there" in complaint
    assert "--out" in complaint
