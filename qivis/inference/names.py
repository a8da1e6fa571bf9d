"""What run folders are called: settled by the list of clips alone, the same in every process."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path


def named_clips(sources: Iterable[str]) -> list[tuple[str, str]]:
    """Each source once, in its order, with a name of its own.

    A clip is called by its file or folder; of several with the same name, the later ones get -2,
    -3 ..., leaving out what another is called.
    """
    each_once = list({_place(source): source for source in sources}.values())
    plain = [clip_name(source) for source in each_once]
    taken = set[str]()
    named = list[tuple[str, str]]()
    for source, name in zip(each_once, plain, strict=True):
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        free = (other for other in numbered if other not in taken and other not in plain)
        taken.add(chosen := next(free) if name in taken else name)
        named.append((source, chosen))
    return named


def clip_name(source: str) -> str:
    """What the run folder is called: the file or folder, or the folder that a glob looks into."""
    path = Path(source)
    if "://" in source:
        return re.sub(r"\W+", "-", source.split("://", 1)[1]).strip("-") or "stream"
    if not path.exists():
        fixed = itertools.takewhile(lambda part: not re.search(r"[*?\[]", part), path.parts)
        path = Path(*fixed)
    path = path.resolve()
    return (path.name if path.is_dir() else path.stem) or "clip"


def _place(source: str) -> str:
    """The same for two spellings of a path."""
    path = Path(source)
    return str(path.absolute()) if path.exists() else source
