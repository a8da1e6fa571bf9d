"""From what a person types to a source of frames."""

import re
from collections.abc import Iterable
from glob import glob
from pathlib import Path

from qivis.data.video.file import Decoder, VideoFile
from qivis.data.video.pictures import PictureSequence
from qivis.data.video.source import FrameSource
from qivis.errors import VideoError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


def open_video(source: str | Path, decoder: Decoder = "auto") -> FrameSource:
    """A video file, a folder of pictures, a picture, or a glob that matches pictures or one video.

    Pictures are taken in natural order (`9.jpg` before `10.jpg`), one a frame.

    Args:
        source: a path or a glob.
        decoder: of video files; `auto` takes decord where it is exact and goes on with PyAV
            where it is not, the others insist.

    Raises:
        VideoError: if there is nothing, or nothing that can be read.
    """
    path = Path(source)
    if path.is_dir():
        pictures = _pictures_among(path.iterdir())
        if not pictures:
            raise VideoError(f"{path}: no picture in this folder; expected {_expected()}")
        return PictureSequence(path, pictures)
    if path.exists():
        return _open_file(path, decoder)
    matches = _matches(source)
    if not matches:
        raise VideoError(
            f"{source}: no such file; expected a video, a picture, a folder of pictures or a glob"
        )
    pictures = _pictures_among(matches)
    if pictures:
        return PictureSequence(path, pictures)
    if len(matches) > 1:
        raise VideoError(f"{source}: matches {len(matches)} videos; open one at a time")
    return _open_file(matches[0], decoder)


def expand_source(source: str | Path) -> tuple[str, ...]:
    """The sources that a command-line argument stands for, each for `open_video`.

    A glob that matches no picture stands for the videos that it matches; anything else, and a
    glob that matches nothing, for itself.
    """
    matches = [] if Path(source).exists() else _matches(source)
    if not matches or _pictures_among(matches):
        return (str(source),)
    return tuple(str(path) for path in matches)


def _open_file(path: Path, decoder: Decoder) -> FrameSource:
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureSequence(path, [path])
    return VideoFile(path, decoder)


def _matches(source: str | Path) -> list[Path]:
    """Files that a glob matches, in natural order."""
    # Path.glob raises ValueError for some of the patterns that this one takes.
    paths = (Path(name) for name in glob(str(source), recursive=True))  # noqa: PTH207
    return sorted((path for path in paths if path.is_file()), key=_natural_order)


def _pictures_among(paths: Iterable[Path]) -> list[Path]:
    """The pictures, in natural order; hidden files, such as macOS leaves behind, are none."""
    found = (
        path
        for path in paths
        if path.suffix.lower() in PICTURE_SUFFIXES and path.name[0] != "." and path.is_file()
    )
    return sorted(found, key=_natural_order)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Sorts numbers in names by their value; where these are equal (01, 1), by their text."""
    parts = [part for part in re.split(r"(\d+)", str(path)) if part]
    key = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return [*key, (-1, str(path))]


def _expected() -> str:
    return ", ".join(sorted(PICTURE_SUFFIXES))
