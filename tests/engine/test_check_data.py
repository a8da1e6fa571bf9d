"""The data doctor from sets to its text and its page."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from make_shapes import make_shapes
from PIL import Image

from qivis.config.schema import DataConfig
from qivis.data.layouts import sets_in
from qivis.engine.check_data import as_list, as_text, check_data
from qivis.errors import DataError
from qivis.structures.data_check import Alike, ClassCount, DataCheck, Fault, ListedPicture
from qivis.viz.palette import color
from tests.faulty_sets import annotation, landscape, make_faulty_sets, picture, write_coco


def look(root: Path, page: Path) -> DataCheck:
    return check_data(sets_in(root), DataConfig(), root, "mine", page)


def pictures(page: Path) -> list[Image.Image]:
    found = re.findall(r"data:image/jpeg;base64,([^\"]+)", page.read_text(encoding="utf-8"))
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_samples_and_twins_are_on_the_page(tmp_path: Path) -> None:
    make_faulty_sets(tmp_path)
    look(tmp_path, tmp_path / "report.html")
    # Two pairs of the same pixels and one of similar ones; one.png, two.png, small.png, eight.png
    # and clean.png show objects and can be read.
    assert len(pictures(tmp_path / "report.html")) == 6 + 5


def test_samples_are_drawn_with_their_masks_and_made_smaller(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    Image.new("RGB", (960, 640), (90, 90, 90)).save(tmp_path / "val2017/grey.png")
    entry = picture(1, "grey.png") | {"height": 640, "width": 960}
    box = annotation(1, 1, 6, [480, 160, 320, 320])
    write_coco(tmp_path / "annotations/instances_val2017.json", [entry], [box])
    look(tmp_path, tmp_path / "report.html")
    (sample,) = pictures(tmp_path / "report.html")
    assert sample.size == (480, 320)
    drawn = np.asarray(sample).astype(int)
    assert np.abs(drawn[160, 100] - 90).max() < 4
    inside = 0.62 * 90 + 0.38 * np.array(color(1))  # the veil of the second class
    assert np.abs(drawn[160, 320] - inside).max() < 6


def test_samples_are_spread_over_a_large_set(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    for number in range(30):
        landscape(number).save(tmp_path / f"val2017/{number}.png")
    entries = [picture(number, f"{number}.png") for number in range(30)]
    boxes = [annotation(number, number, 4, [5, 5, 20, 20]) for number in range(30)]
    write_coco(tmp_path / "annotations/instances_val2017.json", entries, boxes)
    check = look(tmp_path, tmp_path / "report.html")
    assert check.faults == check.similar == ()
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    captions = [int(name) for name in re.findall(r"image (\d+) \(", text)]
    assert captions == [0, 3, 5, 8, 11, 13, 16, 18, 21, 24, 26, 29]


def test_videos_are_looked_through_too(tmp_path: Path) -> None:
    make_shapes(tmp_path)
    check = look(tmp_path / "ytvis", tmp_path / "report.html")
    assert check.faults == ()
    text = as_text(check)
    assert "  videos             2\n  frames             16\n" in text
    assert pictures(tmp_path / "report.html")


def test_classes_are_listed_by_how_frequent_they_are(tmp_path: Path) -> None:
    make_faulty_sets(tmp_path)
    lines = as_text(look(tmp_path, tmp_path / "report.html")).splitlines()
    start = lines.index("val2017")
    assert [line.split()[0] for line in lines if line.endswith("#")] == [
        *("cat", "dog", "cup"),
        *("cat", "cup"),
    ]
    assert "  no object of       dog" in lines[start:]
    assert "  width x height     96 x 64: 7, 30 x 20: 1" in lines[:start]
    assert "  areas              small 85.7 %, medium 14.3 %, large 0.0 %" in lines[:start]


def test_many_faults_of_a_kind_are_summed_up() -> None:
    faults = [Fault("wrong size", f"image {i}") for i in range(25)] + [Fault("leak", "both")]
    lines = as_list(faults).splitlines()
    assert lines[:3] == ["26 faults", "leak: both", "wrong size: image 0"]
    assert lines[-1] == "wrong size: and 5 more, which the page lists"
    assert len(lines) == 2 + 20 + 1
    assert as_list([Fault("leak", "both")]) == "1 fault\nleak: both"


def test_many_classes_and_hints_are_summed_up(tmp_path: Path) -> None:
    make_faulty_sets(tmp_path)
    check = look(tmp_path, tmp_path / "report.html")
    classes = tuple(ClassCount(f"c{i}", 100 - i, 1) for i in range(30))
    figures = type(check.sets[0])(**(vars(check.sets[0]) | {"classes": classes}))
    listed = ListedPicture("a", "image 1", Path("x.png"))
    pairs = (Alike((listed, listed), 0.99, is_leak=False),) * 23
    text = as_text(DataCheck((figures,), (), (), pairs))
    assert f"10 more classes with {sum(100 - i for i in range(20, 30))} objects" in text
    assert text.endswith("\n  and 3 more, which the page shows")


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    make_faulty_sets(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written.*--out"):
        look(tmp_path, tmp_path / "file" / "report.html")
