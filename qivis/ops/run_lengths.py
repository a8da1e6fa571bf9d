"""COCO's compressed run lengths as numbers and numbers as strings, for many masks at once.

Reading is for strings that nobody vouches for: pycocotools reads on in memory beyond the end of a
damaged one, and takes whatever comes out.
"""

import numpy as np
from numpy.typing import NDArray

# A number is written in digits of 5 bits, lowest first, each as one character from FIRST on. The
# 6th bit says that more digits follow; the 5th bit of the last digit is the sign.
FIRST = 48
MORE, SIGN, DIGIT = 32, 16, 31
MOST_DIGITS = 7  # pycocotools counts in 32 bits
LIMITS = SIGN << 5 * np.arange(MOST_DIGITS - 1)  # from which on a number has one digit more


def run_lengths(counts: str) -> NDArray[np.int64]:
    """The lengths of the runs, pixels down the columns: background, object, background ...

    Args:
        counts: the compressed string.

    Raises:
        ValueError: if no mask is written so.
    """
    characters = counts.encode("utf-8", "surrogatepass")
    codes = np.frombuffer(characters, dtype=np.uint8).astype(np.int64) - FIRST
    if ((codes < 0) | (codes >= 2 * MORE)).any():
        stray = next(c for c in counts if not FIRST <= ord(c) < FIRST + 2 * MORE)
        raise ValueError(f"{stray!r} is none of the characters in use")
    last = np.flatnonzero(codes < MORE)  # of each number
    if len(codes) and codes[-1] >= MORE:
        raise ValueError("they break off in the middle of a number")
    digits = np.diff(last, prepend=-1)
    if (digits > MOST_DIGITS).any():
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    first = last + 1 - digits
    exponents = 5 * (np.arange(len(codes)) - np.repeat(first, digits))
    lengths = _sums((codes & DIGIT) << exponents, first)
    lengths -= np.where(codes[last] & SIGN, 1 << (5 * digits), 0)
    # From the fourth on, a number is the change from the run before the last one.
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    if (lengths < 0).any():
        raise ValueError(f"run {int(np.argmax(lengths < 0))} has a negative length")
    return lengths


def compress(lengths: NDArray[np.int64], counts: NDArray[np.int64]) -> list[str]:
    """The strings of N masks.

    Args:
        lengths: (R,) run lengths, one mask after the other; of each: background, object, ...
        counts: (N,) how many of them are of each mask.
    """
    first = np.cumsum(counts) - counts
    within = np.arange(len(lengths)) - np.repeat(first, counts)
    numbers = lengths.copy()
    numbers[2:] -= np.where(within[2:] > 2, lengths[:-2], 0)
    # The sign takes a bit, too: 5 bits hold -16 to 15.
    digits = 1 + np.searchsorted(LIMITS, numbers ^ (numbers >> 63), side="right")
    stops = np.cumsum(digits)
    exponents = 5 * (np.arange(digits.sum()) - np.repeat(stops - digits, digits))
    codes = (np.repeat(numbers, digits) >> exponents) & DIGIT
    codes += FIRST + MORE
    codes[stops - 1] -= MORE
    text = codes.astype(np.uint8).tobytes().decode("ascii")
    bounds = np.concatenate([[0], stops])
    return [
        text[begin:end]
        for begin, end in zip(bounds[first].tolist(), bounds[first + counts].tolist(), strict=True)
    ]


def _sums(values: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R,) sums of the stretches that begin at `starts`; of no stretch, none."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    return np.add.reduceat(values, starts)
