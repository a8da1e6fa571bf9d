"""The command that measures weights."""

import json
from pathlib import Path

import evaluate
import pytest
import train_image

from qivis.structures.cityscapes import CITYSCAPES
from tests.streets import make_streets
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(evaluate.__file__)
CONFIG = TOOL.parents[1] / "configs" / "debug" / "tiny_shapes_image.yaml"
VIDEOS = """
data:
  val: {kind: videos, images: ytvis/valid/JPEGImages, annotations: ytvis/valid/instances.json}
tracking: {keep_score: 0.0, birth_score: 0.0, min_frames: 1}  # for weights that nobody trained
"""
STREETS = """
_base_: [{base}]
data:
  train: [{{kind: cityscapes, images: leftImg8bit/train, annotations: gtFine/train}}]
  val: {{kind: cityscapes, images: leftImg8bit/val, annotations: gtFine/val}}
optim: {{batch_size: 2, epochs: 2, milestones: []}}
"""


def run(*arguments: object) -> int:
    return evaluate.main([str(argument) for argument in arguments])


def test_figures_are_printed_class_by_class_and_written(
    shapes: Path, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "figures.json"
    known = (CONFIG, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    assert run(*known, "--metrics", out) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed if line.strip()] == [
        *("AP", "box", "mask", "box", "circle", "square", "triangle")
    ]
    figures = json.loads(out.read_text())
    assert figures["mask/AP"] == pytest.approx(float(printed[2].split()[1]), abs=0.05)
    assert figures["box/AP/square"] == pytest.approx(float(printed[6].split()[1]), abs=0.05)


def test_on_videos_the_official_figures_and_those_of_tracks_are_printed_and_written(
    shapes: Path, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "videos.yaml"
    config.write_text(VIDEOS)
    out = tmp_path / "figures.json"
    known = (config, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    assert run(*known, "--metrics", out) == 0
    printed = capsys.readouterr().out.splitlines()
    figures = json.loads(out.read_text())
    assert printed[0].split() == list(figures)[:12]
    assert float(printed[1].split()[0]) == pytest.approx(figures["AP"], abs=0.05)
    assert printed[2].endswith(f": {figures['AP_low']:.1f} to {figures['AP_high']:.1f}")
    rows = {line.split()[0]: line.split()[-4:] for line in printed[5:]}
    assert list(rows) == ["all", "circle", "square", "triangle"]
    assert float(rows["all"][1]) == pytest.approx(figures["HOTA"], abs=0.05)
    assert int(rows["square"][3]) == figures["id_switches/square"]
    # The config says how it tracks: nothing that nobody trained starts a track at 0.3.
    assert run(*known, "--metrics", out, "--set", "tracking.birth_score=0.3") == 0
    strict = json.loads(out.read_text())
    assert strict["HOTA"] == 0 < figures["HOTA"]


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_shards_give_the_figures_of_the_whole_to_the_last_digit(
    kind: str, shapes: Path, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CONFIG
    if kind == "videos":
        config = tmp_path / "videos.yaml"
        config.write_text(VIDEOS)
    known = (config, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    whole, gathered, parts = tmp_path / "whole.json", tmp_path / "gathered.json", tmp_path / "parts"
    assert run(*known, "--metrics", whole) == 0
    table = capsys.readouterr().out
    for shard in ("2/3", "0/3"):
        assert run(*known, "--shard", shard, "--parts", parts, "--metrics", gathered) == 0
        assert capsys.readouterr().out.startswith("this part is done; the process that ends last")
        assert not gathered.exists()
    assert run(*known, "--shard", "1/3", "--parts", parts, "--metrics", gathered) == 0
    assert capsys.readouterr().out == table
    assert gathered.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in parts.iterdir()) == [
        f"part-{index}-of-3.json" for index in range(3)
    ]


def test_parts_are_found_again_only_while_the_annotations_stay_as_they_are(
    shapes: Path, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = tmp_path / "a.json"
    annotations.write_bytes((shapes / "annotations" / "instances_val2017.json").read_bytes())
    val = f"data.val={{images: val2017, annotations: {annotations}}}"
    known = (CONFIG, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    shared = (*known, "--set", val, "--parts", tmp_path / "parts", "--shard")
    for shard in ("0/2", "1/2"):
        assert run(*shared, shard) == 0
    content = json.loads(annotations.read_text())
    content["images"].reverse()
    content["annotations"] = content["annotations"][:-3]
    annotations.write_text(json.dumps(content))
    capsys.readouterr()
    assert run(*shared, "1/2") == 0
    assert capsys.readouterr().out.startswith("this part is done")
    assert run(*shared, "0/2") == 0
    gathered = capsys.readouterr().out
    assert run(*known, "--set", val) == 0
    assert capsys.readouterr().out == gathered


def test_ranks_of_torchrun_are_shards(
    shapes: Path,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = (CONFIG, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        assert run(*known, "--parts", tmp_path) == 0
    first, _, third, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("this part is done")
    assert third.startswith("box")


@pytest.mark.parametrize("options", [("--shard", "0/2"), ("--parts", "parts")])
def test_shards_and_their_folder_go_together(
    options: tuple[str, str], tmp_path: Path, refusal: Refusal
) -> None:
    line = refusal(evaluate, CONFIG, "--data-root", tmp_path, *options)
    assert "many processes need both --parts, a folder that all of them see, and --shard" in line


def test_a_network_trained_on_cityscapes_is_measured_by_its_official_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refusal: Refusal
) -> None:
    pytest.importorskip(
        "cityscapesscripts",
        reason="cityscapesscripts is not installed (pip install 'qivis[cityscapes]')",
    )
    root = make_streets(tmp_path / "cityscapes", "train", "val")
    config = tmp_path / "streets.yaml"
    config.write_text(STREETS.format(base=CONFIG))
    known = [config, "--data-root", root, "--device", "cpu"]
    out = tmp_path / "run"
    assert train_image.main([str(argument) for argument in (*known, "--out", out)]) == 0
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 2
    capsys.readouterr()

    metrics, results = tmp_path / "figures.json", tmp_path / "results"
    trained = (*known, "--weights", out / "model.safetensors")
    assert run(*trained, "--metrics", metrics, "--out", results) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["AP", "all", *CITYSCAPES.names]
    figures = json.loads(metrics.read_text())
    assert figures["mask/AP50"] == pytest.approx(float(rows[1][3]), abs=0.05)
    assert (figures["mask/AP/train"], rows[7]) == (-1, ["train", "-", "-"])  # there is none
    assert {name: last[name] for name in figures} == pytest.approx(figures, abs=1e-6)
    assert len(list(results.glob("*.txt"))) == 3
    assert "is there already" in refusal(evaluate, *trained, "--out", results)


def test_result_files_are_of_cityscapes_alone(
    shapes: Path, tmp_path: Path, refusal: Refusal
) -> None:
    line = refusal(evaluate, CONFIG, "--data-root", shapes, "--out", tmp_path / "results")
    assert "--out: result files are of Cityscapes; data.val holds images" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.yaml"], "gone.yaml: cannot be read"),
        (
            [CONFIG, "--data-root", "gone"],
            "gone/annotations/instances_val2017.json: cannot be read",
        ),
        ([CONFIG, "--set", "data.root"], "expected section.field=value"),
    ],
    ids=["config", "data", "override"],
)
def test_what_is_missing_is_one_line_and_exit_code_2(
    arguments: list[object], message: str, refusal: Refusal
) -> None:
    assert message in refusal(evaluate, *arguments)


def test_figures_that_cannot_be_written_are_refused_before_anything_is_measured(
    tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "file").touch()
    known = (evaluate, CONFIG, "--data-root", "gone", "--metrics")
    out = tmp_path / "file" / "figures.json"
    assert f"--metrics {out}: cannot be written (" in refusal(*known, out)
    assert f"--metrics {tmp_path}: is a folder; name a file" in refusal(*known, tmp_path)


def test_strict_stops_at_the_first_entry_that_cannot_be_used(
    shapes: Path, tiny_weights: Path, tmp_path: Path, refusal: Refusal
) -> None:
    content = json.loads((shapes / "annotations" / "instances_val2017.json").read_text())
    content["annotations"][0]["segmentation"] = [[1, 2, 3, 4]]
    (tmp_path / "a.json").write_text(json.dumps(content))
    val = f"data.val={{images: val2017, annotations: {tmp_path / 'a.json'}}}"
    known = (CONFIG, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    line = refusal(evaluate, *known, "--set", val, "--strict")
    number = content["annotations"][0]["id"]
    assert f"a.json: annotation {number}: segmentation: expected polygons of at least 3" in line
    assert run(*known, "--set", val) == 0


def test_weights_are_named_when_they_are_missing_or_for_other_classes(
    shapes: Path, tiny_weights: Path, refusal: Refusal
) -> None:
    known = (evaluate, CONFIG, "--data-root", shapes, "--device", "cpu", "--weights")
    assert "gone.safetensors: no such file" in refusal(*known, "gone.safetensors")
    line = refusal(*known, tiny_weights, "--set", "data.class_names=[round]")
    assert "finds circle, square, triangle, but the data set has round" in line


def test_help_answers_without_importing_torch() -> None:
    assert "--metrics" in help_page(TOOL)
