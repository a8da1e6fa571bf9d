"""Pictures as they lie on disks: turned, grey, four-coloured, transparent, broken."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from qivis.data.images import read_image, read_image_of_size, read_values
from qivis.errors import DataError

RED, BLUE = (200, 60, 50), (60, 70, 200)
ORIENTATION = 0x0112  # the EXIF tag


def two_halves(height: int = 24, width: int = 40) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = RED, BLUE
    return Image.fromarray(pixels)


def has_color(pixels: torch.Tensor, color: tuple[int, int, int], tolerance: int = 6) -> bool:
    return bool(((pixels.int() - torch.tensor(color)[:, None]).abs() <= tolerance).all())


def turned(path: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    two_halves().save(path, quality=100, subsampling=0, exif=exif)
    return path


def test_channels_are_red_green_blue(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype, image.is_contiguous()) == ((3, 24, 40), torch.uint8, True)
    assert has_color(image[:, :, :20].flatten(1), RED, 0)
    assert has_color(image[:, :, 20:].flatten(1), BLUE, 0)


# Where red ends up: 3 is upside down, 6 is a quarter turn to the right, 8 one to the left.
@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [(1, (24, 40), "left"), (3, (24, 40), "right"), (6, (40, 24), "top"), (8, (40, 24), "bottom")],
)
def test_pictures_are_turned_upright(
    tmp_path: Path, orientation: int, size: tuple[int, int], red: str
) -> None:
    image = read_image(turned(tmp_path / "a.jpg", orientation))
    assert tuple(image.shape[1:]) == size
    place = {
        "left": image[:, :, 2],
        "right": image[:, :, -3],
        "top": image[:, 2],
        "bottom": image[:, -3],
    }
    assert has_color(place[red], RED)


def test_annotations_of_the_upright_picture_get_it_upright(tmp_path: Path) -> None:
    image = read_image_of_size(turned(tmp_path / "a.jpg", 6), (40, 24))
    assert has_color(image[:, 2], RED)


def test_annotations_of_the_stored_picture_get_it_as_it_is_stored(tmp_path: Path) -> None:
    image = read_image_of_size(turned(tmp_path / "a.jpg", 6), (24, 40))
    assert has_color(image[:, :, 2], RED)


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a.jpg")
    with pytest.raises(
        DataError, match=r"a\.jpg: the picture is 40 x 24 .* annotations say 41 x 24"
    ):
        read_image_of_size(tmp_path / "a.jpg", (24, 41))


def test_a_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 12), 77, dtype=np.uint8)).save(tmp_path / "a.jpg", quality=100)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (3, 8, 12)
    assert has_color(image.flatten(1), (77, 77, 77), 1)


def test_a_picture_in_printing_colours_keeps_its_colours(tmp_path: Path) -> None:
    two_halves().convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    with Image.open(tmp_path / "a.jpg") as stored:
        assert stored.mode == "CMYK"
    image = read_image(tmp_path / "a.jpg")
    assert has_color(image[:, :, 2], RED)
    assert has_color(image[:, :, -3], BLUE)


def test_transparency_is_dropped(tmp_path: Path) -> None:
    two_halves().convert("RGBA").save(tmp_path / "a.png")
    assert has_color(read_image(tmp_path / "a.png")[:, :, 2], RED, 0)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0"], ids=str)
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.jpg: not a readable picture; expected JPEG"):
        read_image(tmp_path / "a.jpg")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read \(No such file or directory\)"):
        read_image(tmp_path / "gone.jpg")


def unpacks_to(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says to be of this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_a_picture_of_more_pixels_than_anyone_needs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(unpacks_to(40_000, 40_000))
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded .* up to 268435456 pixels"):
        read_image(tmp_path / "a.png")


def test_a_process_of_its_own_refuses_what_opencv_would_take(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(unpacks_to(20_000, 20_000))  # OpenCV's limit is 2^30
    code = "import sys, pathlib; from qivis.data.images import read_image as read; "
    code += "read(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True
    )
    assert "DataError" in done.stderr
    assert "cannot be decoded" in done.stderr


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud800.jpg", "a" * 5000], ids=["NUL", "half", "long"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path / name)


def test_numbers_of_16_bits_are_read_as_they_are(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(values).save(tmp_path / "a.png")
    read = read_values(tmp_path / "a.png")
    assert read.dtype == np.uint16
    assert np.array_equal(read, values)


def test_colours_are_no_numbers(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: expected one channel of 16 bits, got 3 of 8"):
        read_values(tmp_path / "a.png")
