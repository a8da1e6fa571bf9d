"""How many there are, as people write it."""


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "frame"), counted(0, "frame"), counted(12, "frame")
    ('1 frame', '0 frames', '12 frames')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
