"""Figures and faults of sets of which every one is known."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.check import check_sets
from qivis.data.contents import Contents, NamedSet, Picture, read_contents
from qivis.data.layouts import sets_in
from qivis.structures.data_check import ClassCount, DataCheck, LeftOut, SetFigures
from tests.faulty_sets import FAULTS, SIMILAR, landscape, make_faulty_sets


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faulty")
    make_faulty_sets(folder)
    return folder


def look(root: Path, config: DataConfig) -> DataCheck:
    return check_sets([read_contents(named, config, root) for named in sets_in(root)], config)


@pytest.fixture(scope="module")
def check(root: Path) -> DataCheck:
    return look(root, DataConfig())


def test_every_fault_is_found_once(check: DataCheck) -> None:
    assert Counter(fault.kind for fault in check.faults) == Counter(FAULTS.keys())
    for fault in check.faults:
        assert fault.text.startswith(f"train2017: {FAULTS[fault.kind]}")


def test_a_picture_that_is_stored_anew_is_a_hint(check: DataCheck) -> None:
    (pair,) = check.similar
    assert str(pair) == SIMILAR
    assert pair.is_leak
    assert 0.98 < pair.likeness < 1


def test_leaks_come_first(check: DataCheck) -> None:
    assert [twins.is_leak for twins in check.same] == [True, False]


def test_figures_are_exact(check: DataCheck) -> None:
    assert check.sets[0] == SetFigures(
        name="train2017",
        videos=0,
        pictures=8,
        annotations=8,
        median_objects=1,  # of 0 0 0 1 1 1 1 3
        most_objects=3,
        sizes=(((64, 96), 7), ((20, 30), 1)),
        classes=(ClassCount("cat", 4, 4), ClassCount("dog", 2, 2), ClassCount("cup", 1, 1)),
        areas=(6, 1, 0),
        left_out=(
            LeftOut("rejected entries", 1, "they do not fit the format; see the faults"),
            LeftOut("crowds", 1, "not learned (data.ignore_regions is false)"),
            LeftOut("objects below one pixel", 1, "too small to be learned"),
            LeftOut("small pictures", 1, "a side below 32 px (data.min_side)"),
            # short.png, empty.png, broken.png, and eight.png, which has the sliver alone
            LeftOut("pictures without objects", 4, "data.keep_empty is false"),
        ),
    )


def test_nothing_but_classes_is_left_out_of_what_is_measured_on(root: Path) -> None:
    _, val = look(root, DataConfig(class_names=("animal",))).sets
    assert val.left_out == (LeftOut("annotations of other classes", 1, "not asked for: cup 1"),)
    assert val.classes == (ClassCount("animal", 1, 1),)


def test_settings_say_what_is_left_out(root: Path) -> None:
    settings = DataConfig(ignore_regions=True, keep_empty=True, min_side=8)
    train, _ = look(root, settings).sets
    assert {entry.what: entry.why for entry in train.left_out}.keys() == {
        "rejected entries",
        "crowds",
        "objects below one pixel",
    }
    assert "regions to ignore" in train.left_out[1].why


def test_a_picture_that_is_small_and_empty_is_left_out_once(root: Path) -> None:
    train, _ = look(root, DataConfig(min_side=65)).sets
    counts = {entry.what: entry.count for entry in train.left_out}
    assert counts["small pictures"] == 8
    assert "pictures without objects" not in counts


def videos(folder: Path, name: str, seeds: list[list[int]], *, is_measured_on: bool) -> Contents:
    """Videos without annotations, whose frames are these landscapes."""
    pictures = []
    for scene, frames in enumerate(seeds):
        for t, seed in enumerate(frames):
            path = folder / f"{seed}.png"
            landscape(seed).save(path)
            pictures.append(Picture(f"video {scene}, frame {t}", path, (64, 96), scene, 0))
    origin = NamedSet(name, is_measured_on, SourceConfig(".", "a.json", kind="videos"))
    return Contents(
        origin, len(seeds), pictures, [], ("cat",), 0, 0, 0, {}, (), lambda index: {}[index]
    )


def test_a_video_that_stands_still_is_no_duplicate(tmp_path: Path) -> None:
    check = check_sets(
        [videos(tmp_path, "a", [[1, 1, 1], [2]], is_measured_on=False)], DataConfig()
    )
    assert check.faults == check.similar == ()
    assert check.sets[0].left_out == (
        LeftOut("frames without objects", 4, "no clip is drawn around them"),
    )


def test_a_video_in_two_sets_is_one_leak(tmp_path: Path) -> None:
    train = videos(tmp_path, "train", [[1, 2, 3], [4, 5]], is_measured_on=False)
    val = videos(tmp_path, "val", [[6], [1, 2, 3]], is_measured_on=True)
    check = check_sets([train, val], DataConfig())
    assert [fault.kind for fault in check.faults] == ["leak"]
    assert str(check.same[0]) == ("train: video 0, frame 0 (1.png) = val: video 1, frame 0 (1.png)")
    assert check.similar == ()


def test_a_set_that_is_listed_twice_is_no_duplicate(root: Path) -> None:
    config = DataConfig()
    _, val = [read_contents(named, config, root) for named in sets_in(root)]
    assert check_sets([val, val], config).faults == ()
    other = replace(val, origin=replace(val.origin, name="other"))
    assert len(check_sets([val, other], config).faults) == 3


def test_a_picture_that_is_turned_by_its_camera_is_as_annotated(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees
    landscape(1).save(tmp_path / "turned.jpg", exif=exif)
    origin = NamedSet("a", False, SourceConfig(".", "a.json"))
    for size in ((64, 96), (96, 64)):
        picture = Picture("image 1", tmp_path / "turned.jpg", size, 0, 1)
        contents = Contents(origin, 0, [picture], [], (), 0, 0, 0, {}, (), lambda index: {}[index])
        assert check_sets([contents], DataConfig()).faults == ()
