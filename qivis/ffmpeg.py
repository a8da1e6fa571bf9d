"""How FFmpeg is called, whoever calls it."""

from pathlib import Path

# Opening a file decodes a picture, to find out how it is stored. Who wants packets alone, or
# decodes one anyway, need not wait for it.
UNDECODED = {"skip_frame": "all"}


def name_of(path: Path) -> str:
    """A file as FFmpeg is told of it: of a relative path it may take the beginning for a protocol.

    >>> name_of(Path("/clips/12:30.mp4"))
    '/clips/12:30.mp4'
    """
    return str(path.absolute())
