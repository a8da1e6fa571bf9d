"""A small clip whose tracks are known to the pixel."""

from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from qivis.ops import rle
from qivis.structures import Categories, Category, Frame, Track, TrackedClip, View

SIZE = (12, 17)
CATEGORIES = Categories((Category(1, "person"), Category(18, "dog"), Category(44, "vehicle")))
LOST = 2  # the frame that could not be decoded
# By track id and frame, as rows and columns; 0 and 4 share pixels in frame 1, where 4 is surer.
BOXES = {
    0: {0: (slice(1, 6), slice(2, 9)), 1: (slice(1, 6), slice(3, 10))},
    4: {
        1: (slice(4, 11), slice(8, 17)),
        3: (slice(0, 1), slice(0, 1)),
        4: (slice(3, 12), slice(9)),
    },
    7: {4: (slice(8, 10), slice(15, 17))},
}
LABELS = {0: 1, 4: 0, 7: 2}
SCORES = {0: 0.5, 4: 0.75, 7: 0.25}
NUM_FRAMES = 5


def mask(track_id: int, frame: int) -> Tensor:
    """(H, W) bool; the box of the object without its last pixel, if there are others."""
    pixels = torch.zeros(SIZE, dtype=torch.bool)
    pixels[BOXES[track_id][frame]] = True
    rows, columns = torch.nonzero(pixels, as_tuple=True)
    if len(rows) > 1:
        pixels[rows[-1], columns[-1]] = False
    return pixels


def masks() -> dict[tuple[int, int], Tensor]:
    """All masks by (frame, track id), in this order."""
    return {
        (frame, track_id): mask(track_id, frame)
        for frame in range(NUM_FRAMES)
        for track_id in BOXES
        if frame in BOXES[track_id]
    }


def tracked_clip() -> TrackedClip:
    """Five frames at 10 a second, one of them lost, with three objects that come and go."""
    times = tuple(None if frame == LOST else frame / 10 for frame in range(NUM_FRAMES))
    tracks = tuple(_track(track_id) for track_id in BOXES)
    return TrackedClip(SIZE, Fraction(10), times, CATEGORIES, tracks)


def empty_clip() -> TrackedClip:
    """Two frames in which nothing was found."""
    return TrackedClip(SIZE, Fraction(10), (0.0, 0.1), CATEGORIES, ())


def frames() -> Iterator[Frame]:
    """The pictures of the clip: noise, and none for the lost frame."""
    generator = torch.Generator().manual_seed(0)
    for frame in range(NUM_FRAMES):
        image = torch.randint(0, 256, (3, *SIZE), generator=generator, dtype=torch.uint8)
        if frame != LOST:
            yield Frame(image, frame, frame / 10)


def _track(track_id: int) -> Track:
    views = tuple(
        View(rle.encode(mask(track_id, frame)[None])[0], SCORES[track_id], 1.0)
        if frame in BOXES[track_id]
        else None
        for frame in range(NUM_FRAMES)
    )
    return Track(track_id, LABELS[track_id], views)
