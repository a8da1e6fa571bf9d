import json

import pytest

from qivis.errors import DataError
from qivis.export.formats import EXPORTS, Original, check_formats, export_clip
from tests.tracked_clip import NUM_FRAMES, frames, tracked_clip

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
    path = export_clip(name, tracked_clip(), Original("dog", opener), tmp_path / "run")
    assert path == tmp_path / "run" / FILES[name]
    assert list((tmp_path / "run").iterdir()) == [path]
    assert content(path)


@pytest.mark.parametrize("name", FILES)
def test_the_same_tracks_give_the_same_bytes_over_an_earlier_export(name, tmp_path):
    written = []
    for _ in range(2):
        path = export_clip(name, tracked_clip(), Original("dog", frames), tmp_path)
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
        export_clip("gif", tracked_clip(), Original("dog", frames), tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_that_cannot_be_is_named(name, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(DataError, match=f"{FILES[name]}: cannot be written"):
        export_clip(name, tracked_clip(), Original("dog", frames), tmp_path / "run")


def exported(tmp_path, pictures):
    original = Original("dog", no_frames, pictures)
    for name in ("ytvis", "coco-video", "png"):
        export_clip(name, tracked_clip(), original, tmp_path)
    (video,) = json.loads((tmp_path / "ytvis.json").read_text())["videos"]
    images = json.loads((tmp_path / "coco_video.json").read_text())["images"]
    assert [image["file_name"] for image in images] == video["file_names"]
    return video["file_names"], sorted(path.name for path in (tmp_path / "png").iterdir())


def test_frames_that_are_files_keep_their_names(tmp_path):
    pictures = [f"bear/img_{5 * frame:03d}.jpg" for frame in range(NUM_FRAMES)]
    names, masks = exported(tmp_path, pictures)
    assert names == pictures
    assert masks == [f"img_{5 * frame:03d}.png" for frame in range(NUM_FRAMES)]


def test_masks_of_pictures_with_one_name_are_numbered(tmp_path):
    pictures = [f"{frame}/Left.jpg" for frame in range(NUM_FRAMES - 1)] + ["0/left.png"]
    names, masks = exported(tmp_path, pictures)
    assert names == pictures
    assert masks == [f"{frame:05d}.png" for frame in range(NUM_FRAMES)]
