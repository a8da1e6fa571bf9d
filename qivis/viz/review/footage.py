"""What a review page needs of its video beside the video itself: frame times, and small pictures.

Both are read from the file that the page embeds, so they cannot differ from what it shows.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
from av import VideoFrame
from PIL import Image

from qivis.errors import DataError
from qivis.ffmpeg import name_of
from qivis.ops import rle
from qivis.ops.rle import Rle

SIDE = 96  # pixels of a thumbnail, which is shown at half of that on a fine screen
AROUND = 0.15  # of the longer side of an object's box, shown on all sides
SHADE = 0.6  # brightness that is left to what does not belong to the object
QUALITY = 80  # of the JPEGs


@dataclass(frozen=True)
class Footage:
    """What is read from a video of P pictures.

    times: P entries, seconds at which each is shown.
    thumbnails: JPEGs, by the keys that they were asked for with.
    """

    times: tuple[float, ...]
    thumbnails: dict[str, bytes]


def read_footage(video: Path, objects: Mapping[str, tuple[int, Rle]]) -> Footage:
    """Read the times of all pictures, and cut objects out of some.

    Args:
        video: an mp4 file.
        objects: key to the index of a picture and a mask, which may be of another size.

    Raises:
        DataError: if the video cannot be read.
    """
    wanted: dict[int, list[tuple[str, Rle]]] = {}
    for key, (index, mask) in objects.items():
        wanted.setdefault(index, []).append((key, mask))
    times, thumbnails = list[float](), dict[str, bytes]()
    for index, (seconds, picture) in enumerate(_pictures(video, wanted)):
        times.append(seconds)
        if picture:
            for key, mask in wanted[index]:
                thumbnails[key] = _thumbnail(picture, mask)
    return Footage(tuple(times), thumbnails)


def _pictures(video: Path, wanted: Collection[int]) -> Iterator[tuple[float, Image.Image | None]]:
    """All times, and the pictures with the indices that are wanted."""
    try:
        with av.open(name_of(video)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                assert frame.time is not None, "pictures of an mp4 have times"
                yield frame.time, _to_image(frame) if index in wanted else None
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DataError(
            f"{video}: cannot be read as the video of a review page ({error})"
        ) from error


def _to_image(frame: VideoFrame) -> Image.Image:
    return Image.fromarray(frame.to_ndarray(format="rgb24"))


def _thumbnail(picture: Image.Image, mask: Rle) -> bytes:
    """The JPEG of a square around an object, what is outside its mask shaded."""
    height, width = mask["size"]
    left, top, box_width, box_height = rle.to_box(mask)
    side = max(box_width, box_height) * (1 + 2 * AROUND)
    x, y = left + box_width / 2 - side / 2, top + box_height / 2 - side / 2
    square = (x, y, x + side, y + side)
    scale_x, scale_y = picture.width / width, picture.height / height
    in_picture = (x * scale_x, y * scale_y, (x + side) * scale_x, (y + side) * scale_y)
    (pixels,) = rle.decode([mask], (height, width))
    inside = _cut(Image.fromarray(pixels.numpy()).convert("L"), square)
    cut = _cut(picture, in_picture)
    shaded = cut.point([round(SHADE * value) for value in range(256)] * 3)
    content = BytesIO()
    Image.composite(cut, shaded, inside).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def _cut(picture: Image.Image, square: tuple[float, float, float, float]) -> Image.Image:
    """A square of a picture, black where it reaches beyond it, as a thumbnail."""
    return picture.transform(
        (SIDE, SIDE), Image.Transform.EXTENT, square, Image.Resampling.BILINEAR
    )
