"""The file that is written: one of its own, whatever names the world comes up with."""

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from qivis.errors import DataError
from qivis.viz.review import write_review
from tests.review_clips import clip, seen, track, write_video

BOX = (80, 40, 110, 80)
NASTY = "</script><img src=x onerror=alert(1)>&amp;\u2028'\".mp4"


class Elements(HTMLParser):
    """Tags with their attributes, and the text in each kind of element."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = [("", {})]
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1]
        key = attributes.get("id") or tag
        self.texts[key] = self.texts.get(key, "") + data


def written(folder: Path, name: str = "a.mp4", lost: Sequence[int] = ()) -> str:
    frames = [frame for frame in range(30) if frame not in lost]
    video = write_video(folder / "proxy.mp4", frames)
    found = clip(track(3, {4: seen(BOX), 9: seen(BOX)}), lost=lost)
    write_review(found, name, video, folder / "review.html")
    return (folder / "review.html").read_text(encoding="utf-8")


def parsed(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


def test_a_page_needs_no_other_file(tmp_path: Path) -> None:
    page = written(tmp_path)
    addresses = {
        attributes[name]
        for _, attributes in parsed(page).tags
        for name in ("src", "href")
        if attributes.get(name)
    }
    assert addresses == {"data:,"}
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    elements = parsed(written(tmp_path, NASTY))
    assert "img" not in {tag for tag, _ in elements.tags}
    assert json.loads(elements.texts["clip-data"])["name"] == NASTY
    assert elements.texts["title"].startswith(NASTY)


def test_only_the_scripts_of_the_page_may_run(tmp_path: Path) -> None:
    elements = parsed(written(tmp_path))
    (policy,) = [
        attributes["content"]
        for tag, attributes in elements.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    scripts = [
        attributes for tag, attributes in elements.tags if tag == "script" and not attributes
    ]
    assert rules["default-src"] == "'none'"
    assert len(rules["script-src"].split()) == len(scripts)
    assert "unsafe" not in (policy or "")


def test_times_of_lost_frames_are_left_out(tmp_path: Path) -> None:
    data = json.loads(parsed(written(tmp_path, lost=[6])).texts["clip-data"])
    assert data["shown"][5:8] == [0.5, None, 0.7]
    assert data["seconds"][5:8] == [0.5, None, 0.7]
    assert sorted(data["thumbnails"]) == ["3@4"]


def test_a_video_of_another_length_is_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "proxy.mp4", range(29))
    found = clip(track(3, {4: seen(BOX), 29: seen(BOX)}))
    with pytest.raises(DataError, match=r"has 29 pictures, but of a\.mp4 30 frames were decoded"):
        write_review(found, "a.mp4", video, tmp_path / "review.html")
    assert not (tmp_path / "review.html").exists()
