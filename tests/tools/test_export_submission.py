"""The command that writes and checks what is uploaded."""

import json
import zipfile
from functools import partial
from pathlib import Path

import export_submission
import pytest

from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(export_submission.__file__)
CONFIG = """
data:
  val: {kind: videos, images: ytvis/valid/JPEGImages, annotations: ytvis/valid/instances.json}
tracking: {keep_score: 0.0, birth_score: 0.0, min_frames: 1}  # for weights that nobody trained
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "videos.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def annotations(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the valid videos as they are published: without what is to be found."""
    content = json.loads((shapes / "ytvis/valid/instances.json").read_text())
    del content["annotations"]
    path = tmp_path_factory.mktemp("valid") / "valid.json"
    path.write_text(json.dumps(content))
    return path


def run(*arguments: object) -> int:
    return export_submission.main([str(argument) for argument in arguments])


def test_what_is_written_passes_the_check(
    config: Path,
    annotations: Path,
    shapes: Path,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new" / "results.zip"
    known = (config, "--weights", tiny_weights, "--data-root", shapes, "--device", "cpu")
    override = (
        f"data.val={{kind: videos, images: ytvis/valid/JPEGImages, annotations: {annotations}}}"
    )
    assert run(*known, "--out", out, "--max-tracks", 3, "--set", override) == 0
    assert capsys.readouterr().out.splitlines() == ["6 tracks", str(out)]
    with zipfile.ZipFile(out) as archive:
        entries = json.loads(archive.read("results.json"))
    assert [entry["video_id"] for entry in entries] == [1, 1, 1, 2, 2, 2]
    assert run("--check", out, "--annotations", annotations) == 0
    assert capsys.readouterr().out == f"{out}: can be uploaded\n"


def test_faults_are_listed_and_the_exit_code_is_2(
    annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = {"size": [64, 96], "counts": [64 * 96]}
    entry = {"video_id": 1, "category_id": 3, "score": 0.5, "segmentations": [mask] * 7}
    path = tmp_path / "results.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("valid/results.json", json.dumps([entry]))
    assert run("--check", path, "--annotations", annotations) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines if line.startswith(("fault", "warning"))] == [
        "no results.json at the root of the archive (1 found)",
        "wrong length (1 found)",
        "uncompressed run lengths (1 found)",
        "video without an entry (1 found)",
    ]
    assert "  entry 0 (video 1): 7 segmentations, but the video has 8 frames" in lines
    assert lines[-1] == f"{path}: cannot be uploaded"


def test_warnings_alone_do_not_prevent_an_upload(
    annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = {"size": [1, 1], "counts": "01"}
    entry = {"video_id": 5, "category_id": 1, "score": 1.5, "segmentations": [mask]}
    video = {"id": 5, "height": 1, "width": 1, "length": 1, "file_names": ["a.jpg"]}
    small = tmp_path / "small.json"
    content = json.loads(annotations.read_text())
    small.write_text(json.dumps(content | {"videos": [video]}))
    path = tmp_path / "results.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("results.json", json.dumps([entry]))
    assert run("--check", path, "--annotations", small) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "warning: score outside 0 to 1 (1 found)"
    assert lines[-1] == f"{path}: can be uploaded"


def test_what_is_missing_is_one_line_and_exit_code_2(
    config: Path,
    annotations: Path,
    shapes: Path,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    out = tmp_path / "results.zip"
    complaint = partial(refusal, export_submission)
    assert "gone.yaml: cannot be read" in complaint("gone.yaml", "--out", out)
    known = (config, "--data-root", shapes, "--out", out)
    assert "gone.safetensors: no such file" in complaint(*known, "--weights", "gone.safetensors")
    # The embedded model knows no circles.
    assert "default: finds person, animal, vehicle, but the" in complaint(*known)
    assert "results.zip: cannot be read" in complaint("--check", out, "--annotations", annotations)
    assert "gone.json: cannot be read" in complaint("--check", out, "--annotations", "gone.json")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a config and --out are needed"),
        (["a.yaml"], "a config and --out are needed"),
        (["--check", "results.zip"], "--check needs --annotations"),
        (["a.yaml", "--out", "results.json"], "a name that ends in .zip, got results.json"),
        (
            ["a.yaml", "--out", "a.zip", "--max-tracks", "0"],
            "a whole number from 1 to 1000000",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_answers_without_importing_torch() -> None:
    assert "--check" in help_page(TOOL)
