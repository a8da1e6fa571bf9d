"""Tracked objects on their frame: a veil and a contour each, and a tag that says what it is.

Only numpy and Pillow, so that it works where OpenCV does not.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from qivis.errors import DataError
from qivis.ops.images import PICTURE, described, is_picture
from qivis.structures import Frame, Sample, TrackedDetections
from qivis.viz.names import names_of
from qivis.viz.outline import Pixels, paint_object
from qivis.viz.palette import color
from qivis.viz.rect import Rect, extent

TAG = 0.92  # opacity
TEXT_COLOR = (17, 17, 20)
SMALLEST_TEXT = 12  # pixels
LINES_OF_TEXT = 38  # that a frame would hold from top to bottom
SMOOTHING = 4  # tags are drawn this much larger, then shrunk, so that their corners are round


def draw(frame: Frame | Tensor, tracked: TrackedDetections, names: Sequence[str] = ()) -> Pixels:
    """Draw objects on a frame, small ones over large ones.

    Args:
        frame: or its image, (3, H, W) uint8 RGB, of the size of `tracked`.
        tracked: N objects of this frame.
        names: of the K classes; without them, tags tell ids and scores alone.

    Returns:
        (H, W, 3) uint8 RGB, a new picture.

    Raises:
        DataError: if the image is none, has another size, or a class has no name.
    """
    image = frame.image if isinstance(frame, Frame) else frame
    if not is_picture(image) or tuple(image.shape[1:]) != tracked.size:
        raise DataError(
            f"expected a Frame, or {PICTURE}, of {' x '.join(map(str, tracked.size))} as the "
            f"objects, got {described(image)}"
        )
    ids, scores = tracked.track_ids.tolist(), tracked.scores.tolist()
    tags = [f"{number} {score:.2f}" for number, score in zip(ids, scores, strict=True)]
    if len(names):
        called = names_of(tracked.labels, names)
        tags = [f"{name} {tag}" for name, tag in zip(called, tags, strict=True)]
    return _draw_objects(image, tracked.masks, tracked.boxes, [color(i) for i in ids], tags)


def draw_annotated(sample: Sample, names: Sequence[str]) -> Pixels:
    """Draw the annotated objects of a frame, each in the colour of its class and with its name.

    Args:
        sample: with N objects.
        names: of the K classes.

    Returns:
        (H, W, 3) uint8 RGB, a new picture.
    """
    targets = sample.targets
    labels = targets.labels.tolist()
    colors, tags = [color(label) for label in labels], [names[label] for label in labels]
    return _draw_objects(sample.image, targets.masks, targets.boxes, colors, tags)


def _draw_objects(
    image: Tensor,
    masks: Tensor,
    boxes: Tensor,
    colors: Sequence[tuple[int, int, int]],
    tags: Sequence[str],
) -> Pixels:
    """Veils, contours and tags of N objects; boxes (N, 4) are for masks without pixels."""
    picture = np.array(image.permute(1, 2, 0).cpu().numpy(), order="C")
    bitmaps = masks.cpu().numpy()
    extents = [extent(bitmap) for bitmap in bitmaps]
    from_large = sorted(range(len(bitmaps)), key=lambda row: -np.count_nonzero(bitmaps[row]))
    for row in from_large:
        if around := extents[row]:
            paint_object(picture, bitmaps[row], around, colors[row])
    taken: list[Rect] = []
    for row in from_large:
        around = extents[row] or _rounded(boxes[row])
        taken.append(_draw_tag(picture, tags[row], around, colors[row], taken))
    return picture


def _rounded(box: Tensor) -> Rect:
    left, top, right, bottom = (round(value) for value in box.tolist())
    return Rect(left, top, right, bottom)


def _draw_tag(
    picture: Pixels, text: str, around: Rect, rgb: tuple[int, int, int], taken: list[Rect]
) -> Rect:
    """Draw a tag for what is there, in place, and tell where it is."""
    font = _font(max(SMALLEST_TEXT, round(len(picture) / LINES_OF_TEXT)))
    ascent, descent = font.getmetrics()
    pad = round(0.3 * ascent)
    tag = round(font.getlength(text)) + 2 * pad, ascent + descent + pad // 2
    size = (picture.shape[1], picture.shape[0])
    place = _free_place(size, tag, around, taken)
    part = picture[place.window]
    ground = Image.fromarray(part)  # as much of the tag as the picture has room for
    ground.paste(rgb, (0, 0), _shape(*tag).crop((0, 0, *ground.size)))
    ImageDraw.Draw(ground).text((pad, pad // 4), text, fill=TEXT_COLOR, font=font)
    part[...] = np.asarray(ground)
    return place


@lru_cache(maxsize=64)
def _shape(width: int, height: int) -> Image.Image:
    """The opacity of a tag: its corners are round."""
    shape = Image.new("L", (SMOOTHING * width, SMOOTHING * height))
    ImageDraw.Draw(shape).rounded_rectangle(
        (0, 0, SMOOTHING * width - 1, SMOOTHING * height - 1),
        radius=SMOOTHING * height * 0.28,
        fill=round(255 * TAG),
    )
    return shape.resize((width, height), Image.Resampling.BOX)


def _free_place(
    frame: tuple[int, int], tag: tuple[int, int], around: Rect, taken: Sequence[Rect]
) -> Rect:
    """Where a tag hides no other, if there is such a place near its object.

    Args:
        frame, tag: (width, height) in pixels.
        around: the object.
        taken: places of other tags.
    """
    places = [_kept_within(frame, tag, corner) for corner in _corners(tag, around)]
    free = (place for place in places if not any(place.overlaps(other) for other in taken))
    return next(free, places[0])


def _corners(tag: tuple[int, int], around: Rect) -> Iterator[tuple[int, int]]:
    """Left top corners for a tag, best first: above the object, at its top, then further down."""
    width, height = tag
    yield around.left, around.top - height - 2
    yield around.right - width, around.top - height - 2
    for line in range(8):
        yield around.left, around.top + 2 + line * (height + 2)


def _kept_within(frame: tuple[int, int], tag: tuple[int, int], corner: tuple[int, int]) -> Rect:
    left = max(min(corner[0], frame[0] - tag[0]), 0)
    top = max(min(corner[1], frame[1] - tag[1]), 0)
    return Rect(left, top, left + tag[0], top + tag[1])


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built with FreeType"
    return font
