"""What the run folders of many clips are called."""

from pathlib import Path

import pytest

from qivis.inference.names import clip_name, named_clips


def names(*sources: str) -> list[str]:
    return [name for _, name in named_clips(sources)]


def test_clips_of_the_same_name_are_numbered_by_their_place_in_the_list() -> None:
    assert names("a/clip.mp4", "b/clip.mp4", "clip.mov") == ["clip", "clip-2", "clip-3"]


def test_a_number_does_not_take_the_name_of_another_clip() -> None:
    assert names("a/clip.mp4", "b/clip.mp4", "clip-2.mp4") == ["clip", "clip-3", "clip-2"]


def test_a_clip_that_is_named_twice_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mp4").touch()
    monkeypatch.chdir(tmp_path)
    assert names("clip.mp4", "./clip.mp4", str(tmp_path / "clip.mp4")) == ["clip"]
    assert names("rtsp://a/b", "rtsp://a/b") == ["a-b"]


def test_no_clips_have_no_names() -> None:
    assert named_clips([]) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("clips/a.b.mp4", "a.b"),
        ("clips/day*/x.jpg", "clips"),
        ("rtsp://cam:554/live", "cam-554-live"),
        ("http://", "stream"),
        ("0", "0"),
        ("..mp4", "clip"),
        ("...mp4", "clip"),
    ],
)
def test_a_source_has_a_name(source: str, name: str) -> None:
    assert clip_name(source) == name


@pytest.mark.parametrize("letter", ["x", "\u00fc"])
def test_long_names_are_cut_to_what_file_systems_take_and_stay_apart(letter: str) -> None:
    long = [f"http://host/clip.mp4?signature={letter * 300}{number}" for number in range(2)]
    short = names(*long, f"{letter * 300}.mp4")
    assert len(set(short)) == 3
    assert max(len(name.encode()) for name in short) <= 200
    assert short[0].startswith("host-clip-mp4-signature-")
