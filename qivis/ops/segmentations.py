"""Whether something is a COCO segmentation, before anything is made of it.

pycocotools trusts what it is given: it reads on beyond the end of a damaged string, takes memory
by the length of an outline, and counts in 32 bits.
"""

from itertools import pairwise
from reprlib import repr
from typing import Any

from qivis.ops.run_lengths import run_lengths

FARTHEST = 1e7  # pixels that a number may lie from the picture's corner
# Steps of pixels that an outline may have in all; pycocotools keeps some 40 bytes for each.
LONGEST_OUTLINE = 1e7

_NUMBERS = {int, float}


def check_segmentation(segmentation: Any, size: tuple[int, int]) -> None:
    """Check that something is one of the three forms of a mask.

    Args:
        segmentation: a list of polygons [x1, y1, x2, y2, ...] in pixels, an uncompressed RLE
            (`counts` a list of numbers) or a compressed one (`counts` a string).
        size: (H, W) of the image.

    Raises:
        ValueError: if it is none of these, or its size is not the image's.
    """
    if isinstance(segmentation, list):
        if not segmentation:
            raise ValueError("no polygon; expected some of at least 3 points (6 numbers) each")
        for polygon in segmentation:
            _check_polygon(polygon)
    elif (
        isinstance(segmentation, dict)
        and "size" in segmentation
        and isinstance(segmentation.get("counts"), list | str | bytes)
    ):
        _check_runs(segmentation["size"], segmentation["counts"], size)
    else:
        raise ValueError("expected a list of polygons or an RLE with 'size' and 'counts'")


def _check_polygon(polygon: Any) -> None:
    if type(polygon) is not list or len(polygon) < 6:
        raise ValueError("expected polygons of at least 3 points (6 numbers) each")
    if len(polygon) % 2:
        raise ValueError(f"a polygon of {len(polygon)} numbers; expected two for every point")
    if not set(map(type, polygon)) <= _NUMBERS:
        raise ValueError("a polygon has points that are no numbers")
    low, high = min(polygon), max(polygon)
    # A sum with NaN is NaN, which is unlike itself.
    if not (-FARTHEST <= low <= high <= FARTHEST) or (total := sum(polygon)) != total:
        raise ValueError("a polygon has points that are not finite, or beyond any picture")
    # The first bound is quick, and enough for nearly all.
    if len(polygon) * (high - low) > LONGEST_OUTLINE < _outline(polygon):
        raise ValueError(f"a polygon is longer than {LONGEST_OUTLINE:.0f} pixels all around")


def _outline(polygon: list[float]) -> float:
    """Pixels that the edges pass: of each, its extent in the direction in which it is longer."""
    points = list(zip(polygon[0::2], polygon[1::2], strict=True))
    edges = pairwise([*points, points[0]])
    return sum(max(abs(bx - ax), abs(by - ay)) for (ax, ay), (bx, by) in edges)


def _check_runs(stated: Any, counts: Any, size: tuple[int, int]) -> None:
    height, width = size
    if (
        not isinstance(stated, list | tuple)
        or list(stated) != [height, width]
        or not set(map(type, stated)) <= {int}
    ):
        raise ValueError(f"run lengths are of size {repr(stated)}, the image is {[height, width]}")
    if isinstance(counts, list):
        if not set(map(type, counts)) <= {int} or min(counts, default=0) < 0:
            raise ValueError("run lengths are not whole numbers from 0 up")
        total = sum(counts)
    else:
        text = counts if isinstance(counts, str) else counts.decode("latin-1")
        total = int(run_lengths(text).sum())
    if total != height * width:
        raise ValueError(f"run lengths do not add up to {height} x {width} pixels")
