"""What a person may type, and what becomes of it."""

from pathlib import Path

import pytest
from PIL import Image

from qivis.data.video import expand_source, open_video
from qivis.data.video.file import VideoFile
from qivis.data.video.open import files_of
from qivis.data.video.pictures import PictureSequence
from qivis.errors import VideoError

from .conftest import MakeClip, NumberOf, paint


def save(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(paint(index)).save(folder / name)


def numbers(source: str | Path, number_of: NumberOf) -> list[int]:
    return [number_of(frame.image) for frame in open_video(source)]


def test_pictures_of_a_folder_come_in_natural_order(tmp_path: Path, number_of: NumberOf) -> None:
    save(tmp_path, "a1.png", "a2.png", "a9.bmp", "a10.PNG", "a0100.webp", "b.png")
    save(tmp_path / "deeper.png", "a3.png")
    (tmp_path / "._a1.png").write_text("left behind by a file browser")
    (tmp_path / "notes.txt").write_text("no picture")
    assert numbers(tmp_path, number_of) == [0, 1, 2, 3, 4, 5]


def test_a_link_to_no_picture_is_a_picture_that_is_lost(tmp_path: Path) -> None:
    save(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    for source in (tmp_path, tmp_path / "*.png"):
        with open_video(source) as video:
            assert [frame.index for frame in video] == [0, 2]
            assert video.lost == [1]


def test_a_glob_picks_pictures(tmp_path: Path, number_of: NumberOf) -> None:
    save(tmp_path / "deep", "a1.png", "a2.png", "b1.png", "a10.png")
    assert numbers(f"{tmp_path}/deep/a*.png", number_of) == [0, 1, 3]
    assert numbers(f"{tmp_path}/**/a*.png", number_of) == [0, 1, 3]


def test_a_glob_of_pictures_and_videos_is_refused(tmp_path: Path, make_clip: MakeClip) -> None:
    save(tmp_path, "a.png")
    make_clip("b.mp4")
    assert expand_source(tmp_path / "*") == (str(tmp_path / "*"),)  # others are done all the same
    with pytest.raises(VideoError, match=r"such as a\.png, and videos, such as b\.mp4; give"):
        open_video(str(tmp_path / "*"))


def test_what_cannot_be_looked_at_is_told_when_it_is_opened() -> None:
    endless = f"{'x' * 300}.mp4"
    assert expand_source(endless) == (endless,)
    with pytest.raises(VideoError, match=rf"^{endless}: cannot be read \(File name too long\)$"):
        open_video(endless)


def test_the_files_of_a_source_are_those_that_are_read(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "notes.txt"):
        (tmp_path / name).touch()
    expected = [tmp_path / "9.png", tmp_path / "10.png"]
    assert files_of(tmp_path) == files_of(tmp_path / "*") == expected
    assert files_of(tmp_path / "9.png") == [tmp_path / "9.png"]
    assert files_of("-") == files_of("rtsp://camera") == files_of(tmp_path / "*.mp4") == []


def test_a_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    save(tmp_path, "a1.png")
    (frame,) = open_video(tmp_path / "a1.png")
    assert (frame.index, frame.seconds) == (0, 0.0)


def test_a_glob_of_one_video_is_that_video(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", num_frames=2)
    video = open_video(path.with_name("cl*.mp4"))
    assert isinstance(video, VideoFile)
    assert video.path == path


def test_brackets_in_a_name_are_no_glob(make_clip: MakeClip) -> None:
    assert isinstance(open_video(make_clip("clip[1].mp4", num_frames=2)), VideoFile)


def test_a_folder_of_pictures_may_be_given_with_a_slash(tmp_path: Path) -> None:
    save(tmp_path, "a1.png")
    assert isinstance(open_video(f"{tmp_path}/"), PictureSequence)


def test_what_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(VideoError, match=r"no picture in this folder; expected \.bmp, \.jpeg, "):
        open_video(tmp_path)
    with pytest.raises(VideoError, match="no such file; expected a video, a picture, a folder"):
        open_video(f"{tmp_path}/*.png")


def test_several_videos_are_opened_one_at_a_time(make_clip: MakeClip, tmp_path: Path) -> None:
    one, two, ten = (make_clip(f"{name}.mp4", num_frames=2) for name in ("1", "2", "10"))
    with pytest.raises(VideoError, match="matches 3 videos; open one at a time"):
        open_video(f"{tmp_path}/*.mp4")
    assert expand_source(f"{tmp_path}/*.mp4") == (str(one), str(two), str(ten))


def test_other_sources_expand_to_themselves(make_clip: MakeClip, tmp_path: Path) -> None:
    save(tmp_path, "a1.png", "a2.png")
    path = make_clip("clip.mp4", num_frames=2)
    files = (f"{tmp_path}/*.png", str(path), str(tmp_path), f"{tmp_path}/none*", "missing")
    for source in (*files, "0", "-", "http://127.0.0.1/[12].mp4"):
        assert expand_source(source) == (source,)
