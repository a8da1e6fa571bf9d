"""AP of rectangles that can be counted; what the official command line says of the same files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qivis.data.cityscapes import CityscapesImages
from qivis.errors import DataError
from qivis.evaluation.cityscapes_ap import CityscapesAp, InstanceAp, evaluate_cityscapes
from qivis.export.cityscapes_files import write_picture
from qivis.ops import rle
from qivis.structures.cityscapes import CITYSCAPES
from tests.streets import STREETS, make_streets, mask_of

pytest.importorskip(
    "cityscapesscripts",
    reason="cityscapesscripts is not installed (pip install 'qivis[cityscapes]')",
)
FIRST, SECOND, THIRD = STREETS
Drawn = tuple[int, float, NDArray[np.bool_]]
NOTHING, ALL, NONE = InstanceAp(-1, -1), InstanceAp(1, 1), InstanceAp(0, 0)

# The command line as it is, but for two functions that numpy has changed since (in1d is gone, and
# what count_nonzero returns cannot be written as JSON), and for the copy of the annotations that it
# would leave in its own folder, to be taken for those of the next data set.
COMMAND = """
import sys, numpy
numpy.in1d = lambda values, known: numpy.isin(values.ravel(), known)
count = numpy.count_nonzero
numpy.count_nonzero = lambda values: int(count(values))
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as script
script.args.gtInstancesFile = sys.argv.pop()
script.main()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_streets(tmp_path / "cityscapes", "val")


def annotated(name: str) -> list[Drawn]:
    """All objects of a picture, each surer than the one before it."""
    values = [value for value in STREETS[name] if value // 1000 in {c.id for c in CITYSCAPES}]
    return [(v // 1000, 0.5 + i / 100, mask_of(name, v)) for i, v in enumerate(values)]


def write(folder: Path, **changed: list[Drawn]) -> Path:
    """Results: what is annotated, but for what is changed."""
    folder.mkdir()
    for name in STREETS:
        draw(folder, name, changed.get(name, annotated(name)))
    return folder


def draw(folder: Path, name: str, found: list[Drawn]) -> None:
    codes = [rle.encode(torch.from_numpy(mask)[None])[0] for *_, mask in found]
    coded = [(number, score, code) for (number, score, _), code in zip(found, codes, strict=True)]
    write_picture(folder, name, coded)


def measure(root: Path, results: Path) -> CityscapesAp:
    annotations = sorted((root / "gtFine/val").glob("*/*_instanceIds.png"))
    return evaluate_cityscapes(annotations, results, CITYSCAPES.names)


def test_who_finds_everything_has_an_ap_of_one(root: Path, tmp_path: Path) -> None:
    measured = measure(root, write(tmp_path / "results"))
    assert measured.overall == InstanceAp(pytest.approx(1), pytest.approx(1))
    assert {name for name, ap in measured.per_class.items() if ap != NOTHING} == {
        *("person", "rider", "car", "bicycle")
    }


def test_an_overlap_of_three_quarters_counts_at_half_of_the_thresholds(
    root: Path, tmp_path: Path
) -> None:
    rider = mask_of(SECOND, 25000)
    rider[:, 25:] = False  # 15 of 20 columns are left; 0.5, 0.55 ... 0.7 are below
    changed = [(25, 0.9, rider), *annotated(SECOND)[1:]]
    measured = measure(root, write(tmp_path / "results", **{SECOND: changed}))
    assert measured.per_class["rider"] == InstanceAp(pytest.approx(0.5), pytest.approx(1))
    assert measured.overall.ap == pytest.approx((3 + 0.5) / 4)


def test_a_class_of_which_nothing_is_found_has_an_ap_of_zero(root: Path, tmp_path: Path) -> None:
    measured = measure(root, write(tmp_path / "results", **{SECOND: []}))
    assert measured.per_class["bicycle"] == NONE


def test_what_lies_in_a_group_is_not_counted_wrong(root: Path, tmp_path: Path) -> None:
    group = [(26, 0.99, mask_of(THIRD, 26))]
    assert measure(root, write(tmp_path / "a", **{THIRD: group})).per_class["car"] == ALL
    wrong = [(26, 0.99, mask_of(THIRD, 11))]
    assert measure(root, write(tmp_path / "b", **{THIRD: wrong})).per_class["car"].ap < 1


def test_nothing_but_what_is_ignored_for_a_missed_object_is_an_ap_of_zero(
    root: Path, tmp_path: Path
) -> None:
    """The official script stops there: mcordts/cityscapesScripts#89."""
    others = [x for x in annotated(FIRST) if x[0] != 24]
    changed = [*others, (24, 0.9, mask_of(FIRST, 24))]
    measured = measure(root, write(tmp_path / "results", **{FIRST: changed}))
    assert measured.per_class["person"] == NONE


def test_the_figures_are_those_of_the_official_command_line(root: Path, tmp_path: Path) -> None:
    results = write(tmp_path / "results", **{name: guesses(name) for name in STREETS})
    check_against_the_command_line(root, results, tmp_path)


def test_the_figures_on_real_pictures_are_those_of_the_official_command_line(
    shared_data: Path, tmp_path: Path
) -> None:
    sample, root = shared_data / "data" / "cityscapes_sample", tmp_path / "cityscapes"
    for path in sample.glob("*/train/aachen/aachen_000002_*"):  # with a group of cars
        copy = root / path.relative_to(sample).parts[0] / "val" / "aachen" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    images = CityscapesImages(root / "leftImg8bit/val", root / "gtFine/val")
    targets = images[0][0].targets
    rng = np.random.default_rng(0)
    found = [
        (value // 1000, rng.random(), np.roll(mask, rng.integers(-30, 31), axis=1))
        for value, mask in zip(targets.ids.tolist(), targets.masks.numpy(), strict=True)
    ]
    results = tmp_path / "results"
    results.mkdir()
    draw(results, images.image_id(0), found)
    check_against_the_command_line(root, results, tmp_path)


def guesses(name: str) -> list[Drawn]:
    """Objects moved a little, some twice, and some where there is nothing."""
    rng = np.random.default_rng(list(name.encode()))
    found = [
        (class_id, float(rng.random()), np.roll(mask, rng.integers(-4, 5, size=2), axis=(0, 1)))
        for class_id, _, mask in annotated(name) * 2
    ]
    return [*found, (26, float(rng.random()), mask_of(name, 11)), (28, 0.5, mask_of(name, 11))]


def check_against_the_command_line(root: Path, results: Path, scratch: Path) -> None:
    environment = {"CITYSCAPES_DATASET": str(root), "CITYSCAPES_RESULTS": str(results)}
    subprocess.run(
        [sys.executable, "-c", COMMAND, str(scratch / "instances.json")],
        env=os.environ | environment,
        cwd=scratch,
        check=True,
        capture_output=True,
    )
    written = root / "evaluationResults" / "resultInstanceLevelSemanticLabeling.json"
    official = json.loads(written.read_text())["averages"]
    measured = measure(root, results)
    assert 0 < measured.overall.ap < measured.overall.ap50 < 1
    assert measured.overall == InstanceAp(official["allAp"], official["allAp50%"])
    for name, ap in measured.per_class.items():
        figures = official["classes"][name]
        expected = (
            NOTHING if np.isnan(figures["ap"]) else InstanceAp(figures["ap"], figures["ap50%"])
        )
        assert ap == expected, name


def test_a_set_without_objects_has_no_figures(root: Path, tmp_path: Path) -> None:
    (group,) = (root / "gtFine/val/bonn").iterdir()
    measured = evaluate_cityscapes([group], write(tmp_path / "results"), ["car", "bus"])
    assert measured == CityscapesAp(NOTHING, {"car": NOTHING, "bus": NOTHING})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (None, "Infofile .*txt' for the predictions not found"),
        ("a.png 26", "Invalid prediction file"),
        ("gone.png 26 0.5", "cannot be evaluated .*gone.png"),
        ("a.png 99 0.5", "cannot be evaluated .*99"),
        ("../a.png 26 0.5", "points outside"),
    ],
)
def test_damaged_results_are_named(
    root: Path, tmp_path: Path, line: str | None, reason: str
) -> None:
    results = write(tmp_path / "results")
    path = results / f"{FIRST}.txt"
    path.unlink() if line is None else path.write_text(f"{line}\n")
    with pytest.raises(DataError, match=f"results: .*{reason}"):
        measure(root, results)
