"""What run folders are called: settled by the list of clips alone, the same in every process."""

import hashlib
import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

from qivis.files import exists

LONGEST_NAME = 200  # bytes; file systems take 255, and some names get a prefix and a number
DIGITS = 8  # of a checksum


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
        name = re.sub(r"\W+", "-", source.split("://", 1)[1]).strip("-")
        return _short(name) or "stream"
    if not exists(path):
        fixed = itertools.takewhile(lambda part: not re.search(r"[*?\[]", part), path.parts)
        path = Path(*fixed)
    path = path.resolve()
    name = path.name if exists(path) and path.is_dir() else path.stem
    return "clip" if name in ("", ".", "..") else _short(name)


def _short(name: str) -> str:
    """A name that file systems take; the end of a longer one becomes a checksum."""
    whole = os.fsencode(name)
    if len(whole) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(whole).hexdigest()[:DIGITS]
    kept = whole[: LONGEST_NAME - DIGITS - 1].decode(errors="ignore")
    return f"{kept}-{digest}"


def _place(source: str) -> str:
    """The same for two spellings of a path."""
    return str(Path(source).absolute()) if exists(source) else source
