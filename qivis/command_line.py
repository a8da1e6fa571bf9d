"""What commands share: numbers as flags, what they print, and their end by Ctrl-C.

Each reader of a number raises what argparse shows of a value that is none.
"""

import io
import math
import os
import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable

INTERRUPTED = 130  # what shells take for an end by SIGINT


def run_command(main: Callable[[], int], name: str) -> int:
    """Run a command that leaves nothing half-written, and needs no more than a line at Ctrl-C.

    Args:
        main: gives its exit code.
        name: of the command.
    """
    try:
        return main()
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted\n")
        return INTERRUPTED


def bear_any_name() -> None:
    """Let names be told that the terminal, or its encoding, has no letters for, if in codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Tell a person, or a program that has ended meanwhile: the work is done all the same."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number between two others, these included.

    >>> whole_number(1, 10)("7")
    7
    """

    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else most + 1
        if not least <= value <= most:
            raise ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return value

    return read


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def duration(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _number(text: str) -> float:
    """NaN, which compares with nothing, where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
