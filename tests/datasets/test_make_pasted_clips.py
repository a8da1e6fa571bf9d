"""Pasted videos: red and green discs over grey pictures, so that the truth can be seen."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_pasted_clips import (
    Candidate,
    Course,
    Layer,
    Settings,
    cut_out,
    draw_look_alikes,
    draw_scene,
    expose,
    find_pictures,
    is_worth_cutting_out,
    main,
    make_split,
    send_out,
)
from PIL import Image, ImageDraw

from qivis.data.coco import CocoImages
from qivis.data.youtube_vis import YouTubeVis
from qivis.errors import DataError
from tests.discs import COLORS, make_discs


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO set: every other picture has a disc, the rest are empty."""
    folder = tmp_path_factory.mktemp("discs")
    make_discs(folder)
    return folder


def make(pictures: Path, out: Path, *more: str) -> None:
    files = ["--train", str(pictures), str(pictures / "a.json")]
    numbers = ["--num-train", "2", "--num-valid", "1", "--length", "8", "--size", "72", "128"]
    main([str(out), *files, *numbers, "--objects", "2", "3", *more])


@pytest.fixture(scope="module")
def made(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pasted")
    make(pictures, folder)
    return folder


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_the_layout_is_that_of_youtube_vis(made: Path) -> None:
    content = read(made / "train.json")
    assert [video["id"] for video in content["videos"]] == [1, 2]
    assert content["categories"] == [{"id": 4, "name": "red"}, {"id": 6, "name": "green"}]
    for video in content["videos"]:
        assert (video["height"], video["width"], video["length"]) == (72, 128, 8)
        for name in video["file_names"]:
            with Image.open(made / "train" / "JPEGImages" / name) as picture:
                assert picture.size == (128, 72)
    assert len(read(made / "valid.json")["videos"]) == 1


def test_masks_cover_what_is_seen_of_the_objects_and_nothing_else(made: Path) -> None:
    videos = YouTubeVis(made / "train" / "JPEGImages", made / "train.json")
    num_objects = 0
    for video in range(2):
        for index in range(8):
            sample = videos.frame_sample(video, index)
            num_objects += len(sample.targets)
            pixels = sample.image.int()
            is_colored = (pixels.amax(dim=0) - pixels.amin(dim=0)) > 70  # the backgrounds are grey
            covered = sample.targets.masks.sum(dim=0)
            assert int(covered.max()) <= 1
            # Only the soft edge of the objects may differ.
            assert (is_colored != covered.bool()).float().mean() < 0.04
            for mask, label in zip(sample.targets.masks, sample.targets.labels, strict=True):
                strongest = pixels[:, mask].float().mean(dim=1).argmax()
                assert int(mask.sum()) < 40 or int(strongest) == int(label)  # red or green
    assert num_objects > 16


def test_objects_are_listed_with_what_the_metric_needs(made: Path) -> None:
    for annotation in read(made / "train.json")["annotations"]:
        for values in zip(
            annotation["segmentations"], annotation["bboxes"], annotation["areas"], strict=True
        ):
            assert all(value is None for value in values) or all(values)
        assert any(annotation["segmentations"])


def test_train_and_valid_are_made_of_different_pictures(made: Path) -> None:
    train, valid = (
        {name for video in read(made / f"{split}.json")["videos"] for name in video["sources"]}
        for split in ("train", "valid")
    )
    assert train
    assert valid
    assert not train & valid


def test_the_same_seed_gives_the_same_files(made: Path, pictures: Path, tmp_path: Path) -> None:
    make(pictures, tmp_path / "same")
    make(pictures, tmp_path / "other", "--seed", "1")
    files = [path.relative_to(made) for path in made.rglob("*.j*")]
    assert len(files) == 3 * 8 + 2
    assert all((made / f).read_bytes() == (tmp_path / "same" / f).read_bytes() for f in files)
    assert not any((made / f).read_bytes() == (tmp_path / "other" / f).read_bytes() for f in files)


def test_another_seed_gives_other_videos_of_the_same_pictures(
    pictures: Path, tmp_path: Path
) -> None:
    found = find_pictures(CocoImages(pictures, pictures / "a.json"), range(16))
    one, other = (
        make_split(tmp_path, "train", found, 1, Settings((36, 64), 2, (2, 2), seed))
        for seed in (0, 1)
    )
    assert one["annotations"] != other["annotations"]


def test_a_folder_that_cannot_be_written_to_costs_one_line(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        make(pictures, tmp_path / "file")
    assert "Not a directory" in capsys.readouterr().err.splitlines()[-1]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_breaks_off_leaves_the_set_that_was_there(tmp_path: Path) -> None:
    source, out = tmp_path / "discs", tmp_path / "out"
    source.mkdir()
    make_discs(source)
    found = find_pictures(CocoImages(source, source / "a.json"), range(16))
    make_split(out, "train", found, 2, Settings((36, 64), 2, (2, 2)))
    before = contents(out)
    assert len(before) == 5
    (source / "16.png").unlink()  # one of eight backgrounds
    with pytest.raises(DataError, match="cannot be read"):
        make_split(out, "train", found, 50, Settings((36, 64), 2, (2, 2), seed=2))
    assert contents(out) == before


def test_a_new_set_leaves_no_picture_of_the_old_one(pictures: Path, tmp_path: Path) -> None:
    found = find_pictures(CocoImages(pictures, pictures / "a.json"), range(16))
    for number in (3, 1):
        made = make_split(tmp_path, "train", found, number, Settings((36, 64), 2, (2, 2)))
        names = {f"train/JPEGImages/{n}" for video in made["videos"] for n in video["file_names"]}
        assert contents(tmp_path).keys() == names | {"train.json"}
        assert read(tmp_path / "train.json") == made


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--class-names", "blue"), r"no category or supercategory is called blue"),
        (("--valid", "{0}", "{0}/a.json"), r"1\.png: is in both sets; leave out --valid"),
        (("--num-valid", "0"), r"--num-valid: expected a whole number above 0, got '0'"),
        (("--objects", "5", "4"), r"--objects: the fewest are more than the most: \[5, 4\]"),
        (("--class-names", "red", "green", "grey"), r"is called grey"),
    ],
    ids=["class", "overlap", "number", "range", "one of the classes"],
)
def test_what_cannot_be_made_costs_one_line(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: Any, message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        make(pictures, tmp_path, *(word.format(pictures) for word in more))
    assert re.search(message, capsys.readouterr().err.splitlines()[-1])
    assert not list(tmp_path.iterdir())


def test_a_scene_has_no_object_twice(pictures: Path) -> None:
    dataset = CocoImages(pictures, pictures / "a.json")
    found = find_pictures(dataset, range(16))
    assert {label: len(group) for label, group in found.candidates.items()} == {0: 4, 1: 4}
    assert found.backgrounds == list(range(1, 16, 2))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        layers = draw_scene(found, Settings((72, 128), 2, (5, 5)), rng)
        sources = [layer.source for layer in layers]
        assert sources[0] in found.backgrounds
        assert len(set(sources)) == 6
        labels = [layer.label for layer in layers[1:]]
        assert max(labels.count(0), labels.count(1)) >= 4  # look-alikes


def test_a_cutout_is_the_object_without_its_outermost_pixels(pictures: Path) -> None:
    cutout = cut_out(CocoImages(pictures, pictures / "a.json"), Candidate(0, 101, 0))
    inside = np.asarray(cutout.getchannel("A")) >= 128
    assert inside.sum() == pytest.approx(np.pi * 29**2, rel=0.03)
    assert (np.asarray(cutout)[inside, :3] == COLORS[4]).all()


def test_look_alikes_are_different_and_often_of_one_picture() -> None:
    pair = [Candidate(7, 70, 0), Candidate(7, 71, 0)]
    candidates = [*pair, *(Candidate(picture, picture, 0) for picture in range(6))]
    together = 0
    for seed in range(200):
        cast = draw_look_alikes(candidates, 3, np.random.default_rng(seed))
        assert len(set(cast)) == 3
        first, second = (candidate.picture for candidate in cast[:2])
        together += first == second
    # In a quarter of the draws the first is one of the pair; its sibling follows in every second
    # of these, and else by chance in one of seven.
    assert together == pytest.approx(200 * (1 / 4) * (1 / 2 + 1 / 14), abs=10)


def test_places_out_of_sight_are_beyond_the_nearer_side_and_never_all() -> None:
    places = np.array([[10.0, 5.0], [40.0, 6.0], [60.0, 7.0]])
    seen = set()
    for seed in range(300):
        moved = send_out(places, 8.0, 64, np.random.default_rng(seed))
        assert (moved[:, 1] == places[:, 1]).all()
        assert (moved == places).all(axis=1).any()
        seen |= {(row, x) for row, x in enumerate(moved[:, 0].tolist())}
    assert seen == {(0, 10.0), (0, -8.0), (1, 40.0), (1, 72.0), (2, 60.0), (2, 72.0)}


def disc(color: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGBA", (20, 20), (*color, 0))
    ImageDraw.Draw(picture).ellipse((0, 0, 19, 19), (*color, 255))
    return picture


def resting(x: float, y: float) -> Course:
    return Course(np.array([[x, y, 0.0, 0.0, 0.0]] * 2))


def test_later_layers_hide_earlier_ones() -> None:
    layers = [
        Layer(Image.new("RGB", (60, 40), (9, 9, 9)), resting(30, 20), 0, -1),
        Layer(disc((255, 0, 0)), resting(20, 20), 0, 0),
        Layer(disc((0, 255, 0)), resting(20, 20), 0, 1),
        Layer(disc((0, 0, 255)), resting(34, 20), 0, 2),
    ]
    frame, visible = expose(layers, 0, Settings((40, 60), 1))
    assert not visible[0].any()
    assert visible[2].sum() == pytest.approx(np.pi * 100, rel=0.03)
    assert 0.7 * visible[2].sum() < visible[1].sum() < 0.9 * visible[2].sum()
    assert frame[20, 20].tolist() == [0, 255, 0]
    assert frame[20, 34].tolist() == [0, 0, 255]
    assert frame[0, 0].tolist() == [9, 9, 9]


def bar() -> Image.Image:
    """20 x 8 pixels, the left half red and the right half green."""
    picture = Image.new("RGBA", (20, 8), (255, 0, 0, 255))
    picture.paste((0, 255, 0, 255), (10, 0, 20, 8))
    return picture


@pytest.mark.parametrize(
    ("change", "box", "red", "green"),
    [
        ((0, 0, 0), (20, 16, 40, 24), (25, 20), (35, 20)),
        ((0, 90, 0), (26, 10, 34, 30), (30, 15), (30, 25)),
        ((np.log(0.5), 0, 0), (25, 18, 35, 22), (27, 20), (33, 20)),
        ((0, 0, np.log(4)), (10, 18, 50, 22), (15, 20), (45, 20)),
    ],
    ids=["as it is", "turned clockwise", "half as large", "twice as wide, half as high"],
)
def test_an_object_is_turned_scaled_and_stretched_about_its_centre(
    change: tuple[float, float, float],
    box: tuple[int, int, int, int],
    red: tuple[int, int],
    green: tuple[int, int],
) -> None:
    course = Course(np.array([[30.0, 20.0, *change]] * 2))
    background = Layer(Image.new("RGB", (60, 40)), resting(30, 20), 0, -1)
    frame, visible = expose([background, Layer(bar(), course, 0, 0)], 0, Settings((40, 60), 1))
    assert Image.fromarray(visible[0]).getbbox() == box
    assert frame[red[1], red[0]].tolist() == [255, 0, 0]
    assert frame[green[1], green[0]].tolist() == [0, 255, 0]


@pytest.mark.parametrize("place", [(-30, 20), (90, 20), (30, -30), (30, 70), (500, 500)])
def test_nothing_is_seen_of_an_object_outside(place: tuple[int, int]) -> None:
    background = Layer(Image.new("RGB", (60, 40), (9, 9, 9)), resting(30, 20), 0, -1)
    outside = Layer(disc((255, 0, 0)), resting(*place), 0, 0)
    frame, visible = expose([background, outside], 0, Settings((40, 60), 1))
    assert not visible.any()
    assert (frame == 9).all()


def test_a_course_passes_its_waypoints_and_rests_there() -> None:
    course = Course(np.array([[0.0] * 5, [8.0] * 5, [2.0] * 5]))
    assert course.at(0)[0] == 0
    assert course.at(0.25)[0] == pytest.approx(4)  # half way to the second waypoint
    assert course.at(0.5)[0] == pytest.approx(8)
    assert course.at(0.51)[0] == pytest.approx(8, abs=0.02)
    assert course.at(1.2)[0] == pytest.approx(2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"iscrowd": 1}, False),
        ({"bbox": [2, 30, 60, 60]}, False),
        ({"bbox": [50, 30, 60, 89]}, False),
        ({"bbox": [50, 30, 30, 60]}, False),
        ({"area": 900}, False),
        ({"segmentation": [[0.0] * 64, [0.0] * 64]}, False),
        ({"segmentation": [[0.0] * 20]}, False),
        ({"segmentation": {"size": [120, 160], "counts": "..."}}, True),
    ],
    ids=["good", "crowd", "left", "bottom", "narrow", "thin", "two parts", "coarse", "run lengths"],
)
def test_only_whole_large_fine_objects_are_cut_out(change: dict[str, Any], expected: bool) -> None:
    good = {"bbox": [50, 30, 60, 60], "area": 2800, "segmentation": [[0.0] * 64], "iscrowd": 0}
    assert is_worth_cutting_out(good | change, (120, 160)) is expected
