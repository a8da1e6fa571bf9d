"""The page about data sets: what is on it, and that a browser has nothing to complain of."""

import io
from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qivis.structures.data_check import (
    Alike,
    ClassCount,
    DataCheck,
    Fault,
    LeftOut,
    ListedPicture,
    SetFigures,
)
from qivis.viz.data_report import to_jpeg, write_data_report
from qivis.viz.palette import color
from tests.browser import NAMES, Page, browser, find_chromium

HOSTILE = "<script>alert('x')</script>&\"<b>"
GREY = to_jpeg(np.full((40, 60, 3), 90, np.uint8))
FIGURES = SetFigures(
    name=f"train {HOSTILE}",
    videos=0,
    pictures=1234,
    annotations=5,
    median_objects=1.5,
    most_objects=3,
    sizes=(((64, 96), 1000), ((20, 30), 234)),
    classes=(ClassCount("cat", 1, 1), ClassCount(f"dog {HOSTILE}", 4, 2), ClassCount("cup", 0, 0)),
    areas=(3, 1, 1),
    left_out=(LeftOut(f"crowds {HOSTILE}", 2, f"not learned {HOSTILE}"),),
)
ONE, TWO = (ListedPicture(f"a {HOSTILE}", f"i {HOSTILE}", Path(f"{i} {HOSTILE}")) for i in "12")
FAULTY = DataCheck(
    sets=(FIGURES,),
    faults=(
        *(Fault("missing picture", f"image {i} {HOSTILE}") for i in range(30)),
        Fault("leak", "one"),
    ),
    same=(Alike((ONE, TWO), 1.0, is_leak=True),),
    similar=(Alike((ONE, TWO), 0.9876, is_leak=False),),
)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "faulty.html"
    samples = [[(f"image 7 {HOSTILE}", GREY)]]
    write_data_report(FAULTY, f"mine {HOSTILE}", samples, {ONE.path: GREY}, path)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip(f"needs Chromium: none of {', '.join(NAMES)} is installed")
    with browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_what_comes_from_the_data_is_text(faulty: Path) -> None:
    text = faulty.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<b>" not in text
    # Title, heading, set in two places, class and its tooltip, left out, faults, captions of
    # twins (of their files, what follows the slash), of the sample.
    assert text.count(escape(HOSTILE)) == 2 + 2 + 2 + 2 + 30 + 4 * 2 + 1


def test_a_browser_shows_it_without_complaint_and_fetches_nothing(page: Page, faulty: Path) -> None:
    page.open(faulty)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    pictures = "[...document.images].map((picture) => [picture.naturalWidth, picture.complete])"
    assert page.run(pictures) == [[60, True]] * 3  # one of each two twins could not be read
    assert page.run("getComputedStyle(document.body).maxWidth") != "none"


def test_classes_have_bars_from_the_most_frequent_on(page: Page, faulty: Path) -> None:
    page.open(faulty)
    rows = page.run("""[...document.querySelector(".bars").children].map((row) => {
        const bar = row.querySelector("rect");
        const width = bar.getBoundingClientRect().width;
        return [row.innerText.split("\\n").at(-1), width, getComputedStyle(bar).fill];
    })""")
    assert [row[0] for row in rows] == ["4 in 2", "1 in 1", "0 in 0"]
    assert rows[1][1] == pytest.approx(rows[0][1] / 4, rel=0.01)
    assert rows[2][1] == 0
    assert [row[2] for row in rows] == ["rgb({}, {}, {})".format(*color(i)) for i in (1, 0, 2)]


def test_long_lists_of_faults_are_opened_by_a_click(page: Page, faulty: Path) -> None:
    page.open(faulty)
    lists = "[...document.querySelectorAll('details')].map((it) => [it.innerText, it.open])"
    (leak, is_leak_open), (missing, is_missing_open) = page.run(lists)
    assert (leak, is_leak_open) == ("1 leak\none", True)
    assert (missing, is_missing_open) == ("30 missing pictures", False)


def test_light_and_dark_differ_and_nothing_is_wider_than_a_phone(page: Page, faulty: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        page.open(faulty, (400, 800))
        grounds.append(page.run("getComputedStyle(document.body).backgroundColor"))
        assert page.run("document.documentElement.scrollWidth") <= 400
    assert grounds[0] != grounds[1]


def test_a_good_set_is_said_to_be_good(tmp_path: Path) -> None:
    write_data_report(DataCheck((FIGURES,), (), (), ()), "mine", [[]], {}, tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "No fault was found." in text
    assert "Same pixels" not in text
    assert "No picture shows an object." in text


def test_figures_are_on_the_page(faulty: Path) -> None:
    text = faulty.read_text(encoding="utf-8")
    for cell in ("1,234", "1.5", "60 %", "96 x 64", "alike by 0.988", "trained on and measured on"):
        assert cell in text


def test_a_jpeg_is_the_picture() -> None:
    shown = np.zeros((20, 30, 3), np.uint8)
    shown[:, 15:] = (0, 200, 0)
    decoded = np.asarray(Image.open(io.BytesIO(to_jpeg(shown)))).astype(int)
    assert np.abs(decoded - shown)[:, [2, 27]].max() < 10
