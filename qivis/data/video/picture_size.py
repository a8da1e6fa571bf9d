"""How large a picture file is, from its header: before memory is taken for it."""

import struct
from pathlib import Path
from typing import BinaryIO

JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that carry the size
JPEG_BARE = frozenset(range(0xD0, 0xD9)) | {0x01, 0xFF}  # markers without a length


def stored_size(path: Path) -> tuple[int, int] | None:
    """(H, W) of a JPEG, PNG, WebP or BMP, before any rotation; None if that cannot be told."""
    try:
        with path.open("rb") as file:
            return _size(file)
    except (OSError, struct.error):  # whoever reads the picture says what is wrong
        return None


def _size(file: BinaryIO) -> tuple[int, int] | None:
    head = file.read(30)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
    elif head.startswith(b"BM"):
        width, height = struct.unpack("<ii", head[18:26])
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    elif head.startswith(b"\xff\xd8"):
        file.seek(2)
        return _jpeg_size(file)
    else:
        return None
    return abs(height), abs(width)


def _webp_size(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", head[26:30])
            return height & 0x3FFF, width & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack("<I", head[21:25])
            return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
        case b"VP8X":
            return (
                int.from_bytes(head[27:30], "little") + 1,
                int.from_bytes(head[24:27], "little") + 1,
            )
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    while True:
        prefix, marker = struct.unpack(">BB", file.read(2))
        if prefix != 0xFF:
            return None
        if marker in JPEG_BARE:
            file.seek(-1 if marker == 0xFF else 0, 1)  # any number of FF may come before a marker
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in JPEG_FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return height, width
        file.seek(length - 2, 1)
