import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qivis.inference.command import main

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
    assert sorted(p.name for p in Path(lines[-1]).iterdir()) == ["overlay.mp4", "tracks.json"]
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


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["clip.mp4", "--score", "1.5"],
        ["clip.mp4", "--batch", "0"],
        ["clip.mp4", "--association", "looks"],
        ["clip.mp4", "--so"],
    ],
    ids=["no source", "score", "batch", "association", "unknown option"],
)
def test_arguments_that_make_no_sense_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_help_comes_at_once_and_without_heavy_imports():
    code = (
        "import sys; from qivis.inference.command import parse_args\n"
        "try: parse_args(['--help'])\n"
        "except SystemExit: sys.exit(3 if {'torch', 'numpy'} & set(sys.modules) else 0)"
    )
    before = processor_seconds_of_children()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert processor_seconds_of_children() - before < 0.5


def processor_seconds_of_children():
    """What they used, however busy the machine is otherwise."""
    times = os.times()
    return times.children_user + times.children_system
