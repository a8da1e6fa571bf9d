"""The command line of the data doctor."""

from pathlib import Path

import check_data
import pytest
from make_shapes import make_shapes

from tests.faulty_sets import FAULTS, make_faulty_sets
from tests.tools.conftest import Refusal
from tests.tools.help_page import help_page

TOOL = Path(__file__).parents[2] / "tools" / "check_data.py"


def run(*arguments: object) -> int:
    return check_data.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    make_shapes(root)
    return root


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def test_help_comes_at_once() -> None:
    assert "--data-root" in help_page(TOOL)


def test_faults_are_listed_and_the_exit_code_is_2(
    tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_faulty_sets(tmp_path / "set")
    assert run(tmp_path / "set", "--out", page) == 2
    printed = capsys.readouterr()
    # Between a bar of progress and the faults there may be warnings of the readers.
    first, *lines = printed.err[printed.err.index("check_data: ") :].splitlines()
    assert first == "check_data: 6 faults"
    assert sorted(line.split(": ")[0] for line in lines) == sorted(FAULTS)
    assert printed.out.splitlines()[0] == "train2017"
    assert printed.out.splitlines()[-1] == str(page)
    assert page.exists()


def test_a_good_folder_has_the_exit_code_0(
    shapes: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shapes, "--out", page) == 0
    assert "fault" not in capsys.readouterr().err


def test_a_config_names_the_sets(
    shapes: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = TOOL.parents[1] / "configs/debug/tiny_shapes_image.yaml"
    setting = "data.class_names=[round]"
    assert run(config, "--data-root", shapes, "--set", setting, "--out", page) == 0
    out = capsys.readouterr().out
    assert out.startswith("annotations/instances_train2017.json (train)\n")
    assert "annotations/instances_val2017.json (val)\n" in out
    assert "left out           annotations of other classes: " in out


def test_a_file_and_its_pictures_are_enough(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    annotations = shapes / "ytvis/train/instances.json"
    assert run(annotations, "--images", shapes / "ytvis/train/JPEGImages") == 0
    assert "videos" in capsys.readouterr().out
    assert (tmp_path / "runs/instances-data/report.html").exists()


def test_what_cannot_be_read_is_one_line(refusal: Refusal, tmp_path: Path) -> None:
    assert "no data set of a known layout" in refusal(check_data, tmp_path)
    assert "cannot be read" in refusal(check_data, tmp_path / "none.json")
    assert "none.yaml" in refusal(check_data, tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("data", "flags", "words"),
    [
        ("set", ["--data-root", "data"], "--data-root and --set go with a config (.yaml); got set"),
        ("a.json", ["--set", "data.min_side=3"], "go with a config (.yaml); got a.json"),
        ("a.yaml", ["--images", "pictures"], "--images goes with an annotation file (.json)"),
    ],
)
def test_a_flag_that_would_say_nothing_is_refused(
    data: str, flags: list[str], words: str, refusal: Refusal
) -> None:
    assert words in refusal(check_data, data, *flags)
