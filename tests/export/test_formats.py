import pytest

from qivis.errors import DataError
from qivis.export.formats import EXPORTS, check_formats, export_clip
from tests.tracked_clip import frames, tracked_clip

FILES = {
    "ytvis": "ytvis.json",
    "coco-video": "coco_video.json",
    "mots": "mots.txt",
    "mot": "mot.txt",
    "png": "png",
    "cutouts": "cutouts",
    "csv": "tracks.csv",
    "cityscapes": "cityscapes",
}


def content(path):
    """Of a file, or of all files of a folder by their names."""
    if path.is_file():
        return path.read_bytes()
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }


def no_frames():
    raise AssertionError("only cutouts need the frames")


def test_there_is_a_file_or_folder_for_each_format():
    assert {name: export.file_name for name, export in EXPORTS.items()} == FILES


@pytest.mark.parametrize("name", FILES)
def test_each_format_is_written_under_its_name_and_nothing_else(name, tmp_path):
    opener = frames if name == "cutouts" else no_frames
    path = export_clip(name, tracked_clip(), "dog", opener, tmp_path / "run")
    assert path == tmp_path / "run" / FILES[name]
    assert list((tmp_path / "run").iterdir()) == [path]
    assert content(path)


@pytest.mark.parametrize("name", FILES)
def test_the_same_tracks_give_the_same_bytes_over_an_earlier_export(name, tmp_path):
    written = []
    for _ in range(2):
        path = export_clip(name, tracked_clip(), "dog", frames, tmp_path)
        written.append(content(path))
    assert written[0] == written[1]
    assert list(tmp_path.iterdir()) == [path]


def test_only_a_format_with_classes_of_its_own_asks_for_them():
    check_formats([name for name in FILES if name != "cityscapes"], ["dog"])
    check_formats(["cityscapes"], ["dog", "person"])
    with pytest.raises(DataError, match="cityscapes has none of the 1 classes"):
        check_formats(["mot", "cityscapes"], ["dog"])


def test_an_unknown_format_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="no export 'gif'; there are ytvis, coco-video, mots"):
        export_clip("gif", tracked_clip(), "dog", frames, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_that_cannot_be_is_named(name, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(DataError, match=f"{FILES[name]}: cannot be written"):
        export_clip(name, tracked_clip(), "dog", frames, tmp_path / "run")
