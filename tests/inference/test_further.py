import json

import pytest

from qivis.data.video import open_video
from qivis.errors import DataError
from qivis.inference.command import main
from qivis.inference.further import REVIEW, write_further


@pytest.fixture
def clip(shapes):
    return shapes / "clip.mp4"


@pytest.fixture
def folder(clip, tiny_weights, tmp_path):
    options = ["--weights", str(tiny_weights), "--score", "0", "--save", "--out", str(tmp_path)]
    assert main([str(clip), *options]) == 0
    return tmp_path / "clip"


def test_exports_and_the_page_are_made_of_what_the_run_has_left(folder, clip):
    before = {path.name for path in folder.iterdir()}
    with open_video(clip) as reader:
        write_further(folder, ["csv", "cutouts"], reader.frames, review=True)
    assert {path.name for path in folder.iterdir()} - before == {"tracks.csv", "cutouts", REVIEW}
    assert (folder / REVIEW).read_text().startswith("<!doctype html>")


def test_the_page_is_made_where_it_is_asked_for(folder, clip):
    with open_video(clip) as reader:
        write_further(folder, [], reader.frames, review=False)
    assert not (folder / REVIEW).exists()


def test_what_can_be_had_is_written_though_something_else_cannot(folder, clip):
    path = folder / "tracks.json"
    tracks = json.loads(path.read_text())
    tracks[-1]["track_id"] = 300  # more than a palette has
    path.write_text(json.dumps(tracks))
    with open_video(clip) as reader, pytest.raises(DataError, match=r"png: .*300") as caught:
        write_further(folder, ["png", "csv", "mot"], reader.frames, review=True)
    assert "csv" not in str(caught.value)
    names = {path.name for path in folder.iterdir()}
    assert {"tracks.csv", "mot.txt", REVIEW} <= names
    assert "png" not in names


def test_a_folder_without_a_run_is_named(tmp_path, clip):
    with open_video(clip) as reader, pytest.raises(DataError, match=r"summary\.json"):
        write_further(tmp_path, ["csv"], reader.frames, review=False)
