"""What single values of annotation files must be; whoever asks is told by `UnfitError`.

Values come from JSON as Python reads it: numbers may be NaN, infinite, or integers of any length.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

from qivis.data.images import MOST_PIXELS
from qivis.data.rejects import MOST_ID, UnfitError, shown
from qivis.ops import rle
from qivis.ops.segmentations import FARTHEST, check_segmentation

_MOST_AREA = 1e12  # more than any picture has


def value_of(entry: Mapping[str, Any], key: str) -> Any:
    """The value of a field, which must be there and not null."""
    value = entry.get(key)
    if value is None:
        raise UnfitError(f"{key} is missing")
    return value


def check_text(entry: Mapping[str, Any], key: str) -> None:
    """Check that a field is text that can be written in UTF-8."""
    value = value_of(entry, key)
    if type(value) is not str or not value or not _is_unicode(value):
        raise UnfitError(f"{key} is {shown(value)}, expected text")


def check_file_name(name: Any) -> None:
    """Check that a name stays inside the folder that it starts from, on every system.

    It is neither absolute nor has it a part `..`, between slashes or backslashes. Where a link
    inside the folder leads is the business of whoever put it there.
    """
    if type(name) is not str or not name or "\0" in name or not _is_unicode(name):
        raise UnfitError(f"file name is {shown(name)}, expected text without NUL")
    path = PureWindowsPath(name)  # takes slashes for what they are, too
    if path.drive or path.root or ".." in path.parts:
        raise UnfitError(f"file name is {shown(name)}, expected one inside the data folder")


def check_size(entry: Mapping[str, Any]) -> tuple[int, int]:
    """(H, W), checked to be those of a picture that can be read."""
    height, width = value_of(entry, "height"), value_of(entry, "width")
    for key, value in (("height", height), ("width", width)):
        if type(value) is not int or value < 1:
            raise UnfitError(f"{key} is {shown(value)}, expected a whole number from 1 up")
    if height * width > MOST_PIXELS:
        raise UnfitError(
            f"size is {shown(width)} x {shown(height)}, expected at most {MOST_PIXELS} pixels"
        )
    return height, width


def check_number(entry: Mapping[str, Any], key: str) -> None:
    """Check that a field is a whole number from 0 up, of 63 bits."""
    value = value_of(entry, key)
    if type(value) is not int or not 0 <= value <= MOST_ID:
        raise UnfitError(f"{key} is {shown(value)}, expected a whole number from 0 up")


def check_listed(entry: Mapping[str, Any], key: str, known: Collection[int]) -> None:
    """Check that a field is the id of something that the file lists and that can be used."""
    value = value_of(entry, key)
    if type(value) is not int or value not in known:
        raise UnfitError(f"{key} is {shown(value)}, which the file lacks or which is left out")


def check_flag(entry: Mapping[str, Any], key: str) -> None:
    """Check that a field is 0 or 1, true or false; it may be missing."""
    value = entry.get(key)
    if value is not None and (type(value) not in (int, bool) or value not in (0, 1)):
        raise UnfitError(f"{key} is {shown(value)}, expected 0 or 1")


def check_area(entry: Mapping[str, Any]) -> None:
    """Check that an object has pixels."""
    value = value_of(entry, "area")
    if type(value) not in (int, float) or not 0 < value < _MOST_AREA:
        raise UnfitError(f"area is {shown(value)}, expected a number above 0")


def check_areas(areas: Sequence[Any]) -> None:
    """Check that areas by frame are numbers from 0 up, or None where nothing is seen."""
    for frame, value in enumerate(areas):
        if value is not None and (type(value) not in (int, float) or not 0 <= value < _MOST_AREA):
            raise UnfitError(
                f"area in frame {frame} is {shown(value)}, expected a number from 0 up"
            )


def check_box(box: Any, size: tuple[int, int]) -> None:
    """Check that a box [x, y, width, height] has an area, and overlaps a picture of (H, W)."""
    if not is_numbers(box, 4):
        raise UnfitError(f"bbox is {shown(box)}, expected 4 numbers")
    x, y, width, height = box
    if width <= 0 or height <= 0:
        raise UnfitError(f"bbox is {shown(box)}, expected a width and a height above 0")
    if x >= size[1] or y >= size[0] or x + width <= 0 or y + height <= 0:
        raise UnfitError(f"bbox is {shown(box)}, outside the picture of {size[1]} x {size[0]}")


def check_mask(segmentation: Any, size: tuple[int, int]) -> None:
    """Check that something is a COCO segmentation of a picture of (H, W)."""
    try:
        check_segmentation(segmentation, size)
    except ValueError as error:
        raise UnfitError(f"segmentation: {error}") from error


def to_mask(segmentation: Any, size: tuple[int, int], what: str = "segmentation") -> rle.Rle:
    """Run lengths of any COCO segmentation of a picture of (H, W); `what` names it in messages."""
    try:
        return rle.from_segmentation(segmentation, size)
    except ValueError as error:
        raise UnfitError(f"{what}: {error}") from error


def check_frames(entry: Mapping[str, Any], key: str, num_frames: int) -> Sequence[Any]:
    """A field that is checked to be a list with one entry per frame."""
    values = value_of(entry, key)
    if type(values) is not list or len(values) != num_frames:
        given = f"a list of {len(values)}" if type(values) is list else shown(values)
        raise UnfitError(f"{key} is {given}, but its video has {num_frames} frames")
    return values


def is_numbers(values: Any, count: int) -> bool:
    """Whether something is a list of so many numbers, none of them beyond any picture."""
    return (
        type(values) is list
        and len(values) == count
        and all(type(value) in (int, float) and -FARTHEST <= value <= FARTHEST for value in values)
    )


def _is_unicode(text: str) -> bool:
    """JSON can escape halves of characters, which no file can be named by."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
