"""From what a person types to a source of frames."""

import mimetypes
import os
import re
import sys
from collections.abc import Iterable
from glob import glob
from pathlib import Path

import torch

from qivis.data.video.file import Decoder, VideoFile
from qivis.data.video.live import LiveSource, is_live
from qivis.data.video.pictures import PictureSequence
from qivis.data.video.source import FrameSource, Limits
from qivis.errors import VideoError
from qivis.files import exists

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


def open_video(
    source: str | Path,
    decoder: Decoder = "auto",
    max_pixels: int = Limits.max_pixels,
    max_frames: int | None = None,
    gpu: torch.device | None = None,
) -> FrameSource:
    """A video file, a folder of pictures, a picture, a glob of pictures, or something live.

    Pictures are taken in natural order (`9.jpg` before `10.jpg`), one a frame. Live are the
    number of a webcam (`0`), an address (rtsp, http, https or udp) and standard input (`-`);
    what exists as a file or a folder is not live, whatever its name.

    Args:
        source: a path, a glob or one of these.
        decoder: of video files. `auto` takes torchcodec where it is installed and `gpu` given,
            then decord where it is exact, and goes on with PyAV where they stop; the others insist.
        max_pixels: of a picture; larger ones are refused.
        max_frames: frames from this index on are not read; None for no limit.
        gpu: may decode; None if none is to.

    Raises:
        VideoError: if there is nothing, or nothing that can be read, or it is too large.
    """
    limits = Limits(max_pixels, sys.maxsize if max_frames is None else max_frames)
    try:
        return _open(source, decoder, limits, gpu)
    except OSError as error:
        raise VideoError(f"{source}: cannot be read ({error.strerror})") from error


def _open(
    source: str | Path, decoder: Decoder, limits: Limits, gpu: torch.device | None
) -> FrameSource:
    path = Path(source)
    if path.is_dir():
        pictures = _pictures_among(path.iterdir())
        if not pictures:
            raise VideoError(f"{path}: no picture in this folder; expected {_expected()}")
        return PictureSequence(path, pictures, limits)
    if path.exists():
        return _open_file(path, decoder, limits, gpu)
    if comes_live(source):
        return LiveSource(str(source), limits)
    return _open_glob(source, decoder, limits, gpu)


def comes_live(source: str | Path) -> bool:
    """Whether `open_video` takes it for something live: what exists is not, whatever its name."""
    return is_live(str(source)) and not exists(source)


def files_of(source: str | Path) -> list[Path]:
    """The files that `open_video` would read, in their order; none for something live."""
    path = Path(source)
    if path.is_dir():
        return _pictures_among(path.iterdir())
    if path.exists():
        return [path]
    return [] if comes_live(source) else _of_a_glob(source)


def stats_of(source: str | Path) -> list[os.stat_result]:
    """What the file system says of the files of a source, but for links to none."""
    return [file.stat() for file in files_of(source) if file.exists()]


def expand_source(source: str | Path) -> tuple[str, ...]:
    """The sources that a command-line argument stands for, each for `open_video`.

    A glob that matches no picture stands for the videos that it matches; anything else for itself,
    also what cannot be opened.
    """
    is_plain = exists(source) or comes_live(source)
    try:
        matches = [] if is_plain else _of_a_glob(source)
    except VideoError:  # who opens it is told
        matches = []
    if not matches or _is_picture(matches[0]):
        return (str(source),)
    return tuple(str(path) for path in matches)


def _open_file(
    path: Path, decoder: Decoder, limits: Limits, gpu: torch.device | None
) -> FrameSource:
    if _is_picture(path):
        return PictureSequence(path, [path], limits)
    return VideoFile(path, decoder, limits, gpu)


def _open_glob(
    source: str | Path, decoder: Decoder, limits: Limits, gpu: torch.device | None
) -> FrameSource:
    matches = _of_a_glob(source)
    if not matches:
        raise VideoError(
            f"{source}: no such file; expected a video, a picture, a folder of pictures, a glob, "
            "a webcam's number, an address (rtsp://, http://, ...) or - for standard input"
        )
    if _is_picture(matches[0]):
        return PictureSequence(Path(source), matches, limits)
    if len(matches) > 1:
        raise VideoError(f"{source}: matches {len(matches)} videos; open one at a time")
    return _open_file(matches[0], decoder, limits, gpu)


def _of_a_glob(source: str | Path) -> list[Path]:
    """The pictures that a glob matches, else all files, in natural order."""
    matches = _matches(source)
    pictures = _pictures_among(matches)
    videos = [path for path in matches if _is_video(path)]
    if pictures and videos:
        raise VideoError(
            f"{source}: matches pictures, such as {pictures[0].name}, and videos, such as "
            f"{videos[0].name}; give a glob for either, such as '*{pictures[0].suffix}' and "
            f"'*{videos[0].suffix}'"
        )
    return pictures or matches


def _matches(source: str | Path) -> list[Path]:
    """Files that a glob matches, in natural order."""
    # Path.glob raises ValueError for some of the patterns that this one takes.
    paths = (Path(name) for name in glob(str(source), recursive=True))  # noqa: PTH207
    return sorted((path for path in paths if _counts(path)), key=_natural_order)


def _pictures_among(paths: Iterable[Path]) -> list[Path]:
    """The pictures, in natural order; hidden files, such as macOS leaves behind, are none."""
    found = (path for path in paths if _is_picture(path) and path.name[0] != "." and _counts(path))
    return sorted(found, key=_natural_order)


def _counts(path: Path) -> bool:
    """Whether it is a file, or a link to none: a picture that is lost."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _is_video(path: Path) -> bool:
    """Whether the name says so."""
    kind, _ = mimetypes.guess_type(path.name)
    return kind is not None and kind.startswith("video/")


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Sorts numbers in names by their value; where these are equal (01, 1), by their text."""
    parts = [part for part in re.split(r"(\d+)", str(path)) if part]
    key = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return [*key, (-1, str(path))]


def _expected() -> str:
    return ", ".join(sorted(PICTURE_SUFFIXES))
