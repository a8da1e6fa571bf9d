"""Rectangles of whole pixels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rect(NamedTuple):
    """Whole pixels; right and bottom are not inside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns, as an index of (H, W) pixels."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, margin: int, size: tuple[int, int]) -> "Rect":
        """This with a margin on each side, cut off where a picture of (H, W) ends."""
        height, width = size
        return Rect(
            max(self.left - margin, 0),
            max(self.top - margin, 0),
            min(self.right + margin, width),
            min(self.bottom + margin, height),
        )

    def overlaps(self, other: "Rect") -> bool:
        """Whether they share a pixel."""
        return max(self.left, other.left) < min(self.right, other.right) and max(
            self.top, other.top
        ) < min(self.bottom, other.bottom)


def extent(mask: NDArray[np.bool_]) -> Rect | None:
    """The tightest rectangle around the set pixels of an (H, W) mask; None if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
