"""How messages put things: numbers with their nouns, and what somebody may have meant."""

import difflib
from collections.abc import Iterable

LONGEST = 80  # letters that are compared: more take long, and nobody means them


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "frame"), counted(0, "frame"), counted(12, "frame")
    ('1 frame', '0 frames', '12 frames')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A question for the known name that is nearest; empty if none is near.

    >>> did_you_mean("persn", ["person", "dog"]), did_you_mean("xyz", ["person", "dog"])
    ("did you mean 'person'?", '')
    """
    close = difflib.get_close_matches(str(name)[:LONGEST], known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
