"""Memory that was freed: kept for what comes next, or given back to the system (glibc only)."""

import ctypes
from contextlib import suppress

# Numbers of settings in glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have the C library keep freed blocks of any size, as long as the process lives.

    By itself glibc gives blocks of more than 32 MB back at once: a map of large pictures, the
    gradient of a large layer. The next step takes as much again, and that each of its pages is
    new takes a quarter of the forward and backward of an R-50 on a CPU (benchmarks/notes.md). For
    programs that do one thing over and over; what one has taken it then holds until its end.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library has no such function
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _NEVER)


def give_back_freed_memory() -> None:
    """Have the C library return what it keeps."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
