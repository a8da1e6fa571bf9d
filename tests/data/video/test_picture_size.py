"""Sizes from the headers of pictures that Pillow has written."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from qivis.data.video.picture_size import stored_size

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("a.png", {}),
    "bmp": ("a.bmp", {}),
    "jpeg": ("a.jpg", {}),
    "progressive jpeg": ("a.jpg", {"progressive": True}),
    "jpeg with much before its size": ("a.jpg", {"comment": b"\xff\xc0" * 30000}),
    "webp": ("a.webp", {}),
    "lossless webp": ("a.webp", {"lossless": True}),
    "extended webp": ("a.webp", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
}


@pytest.mark.parametrize(("name", "how"), KINDS.values(), ids=KINDS)
def test_the_header_tells_the_size(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    Image.new("RGB", (300, 517)).save(tmp_path / name, **how)
    assert stored_size(tmp_path / name) == (517, 300)


def test_a_bmp_may_be_stored_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.new("RGB", (300, 517)).save(path)
    content = bytearray(path.read_bytes())
    content[22:26] = (-517).to_bytes(4, "little", signed=True)
    path.write_bytes(content)
    assert stored_size(path) == (517, 300)


def test_padding_before_a_marker_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (300, 517)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xff" + content[2:])
    assert stored_size(path) == (517, 300)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\0\0", b"BM", b"RIFFxxxxWEBPxxxx"])
def test_what_tells_no_size_is_left_to_the_reader(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert stored_size(tmp_path / "a.jpg") is None
    assert stored_size(tmp_path / "missing.jpg") is None
