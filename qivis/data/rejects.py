"""Entries of an annotation file that cannot be used: left out, counted, and named."""

import logging
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from qivis.errors import DataError

log = logging.getLogger(__name__)

T = TypeVar("T")

Kind = Literal["image", "annotation", "video", "category"]
Part = Literal["images", "annotations", "videos", "categories"]

_KINDS: Mapping[Part, Kind] = MappingProxyType(
    {
        "images": "image",
        "annotations": "annotation",
        "videos": "video",
        "categories": "category",
    }
)
_NAMED = 3  # entries that the warning speaks of one by one
MOST_ID = 2**63 - 1  # ids are kept in 64 bits


class UnfitError(Exception):
    """An entry cannot be used; the text says what was expected and what came."""


@dataclass(frozen=True)
class Reject:
    """An entry that is left out.

    kind: of what it is an entry.
    id: what the file says, of any JSON type; None where it says nothing.
    reason: a short phrase with what was expected and what came.
    """

    kind: Kind
    id: Any
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {shown(self.id)}: {self.reason}"


class Sieve:
    """Takes the entries of one file that can be used, and notes the others."""

    def __init__(self, path: Path, *, strict: bool) -> None:
        """Args: path: the file, for messages. strict: whether the first reject is an error."""
        self._path = path
        self._strict = strict
        self._rejects: list[Reject] = []

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """What was left out so far."""
        return tuple(self._rejects)

    def sift(
        self,
        content: Mapping[str, Any],
        part: Part,
        read: Callable[[dict[str, Any]], T],
        scope: str = "",
    ) -> list[T]:
        """What is read of the entries of a part of the file that can be used, in their order.

        Each has an id that no earlier one has; of two with one id, the first stays.

        Args:
            content: of the file; a part that it does not have is empty.
            part: which list of it.
            read: what becomes of an entry; raises `UnfitError` where it cannot be used.
            scope: a field in whose value ids are unique; by default they are so in the file.

        Raises:
            DataError: if the part is no list; if strict, at the first entry that is left out.
        """
        entries = content.get(part)
        if entries is not None and not isinstance(entries, list):
            raise DataError(f"{self._path}: '{part}' is {shown(entries)}, expected a list")
        kept: dict[Any, T] = {}
        for position, entry in enumerate(entries or ()):
            try:
                check_entry(entry, position)
                value = read(entry)
            except UnfitError as error:
                number = entry.get("id") if isinstance(entry, dict) else None
                self.reject(_KINDS[part], number, str(error))
                continue
            key = (entry[scope], entry["id"]) if scope else entry["id"]
            if key in kept:
                self.reject(_KINDS[part], entry["id"], "its id is that of an earlier one")
            else:
                kept[key] = value
        return list(kept.values())

    def reject(self, kind: Kind, number: Any, reason: str) -> None:
        """Note that an entry is left out.

        Raises:
            DataError: if strict.
        """
        reject = Reject(kind, number, reason)
        if self._strict:
            raise DataError(f"{self._path}: {reject}")
        self._rejects.append(reject)

    def warn(self) -> None:
        """Log in one line how many entries are left out, and name the first ones."""
        if not self._rejects:
            return
        counts = Counter(reject.kind for reject in self._rejects)
        log.warning(
            "%s: cannot be used and left out: %s (%s%s); tools/check_data.py lists all",
            self._path,
            ", ".join(
                f"{number} {kind if number == 1 else part}"
                for part, kind in _KINDS.items()
                if (number := counts[kind])
            ),
            "; ".join(map(str, self._rejects[:_NAMED])),
            " ..." if len(self._rejects) > _NAMED else "",
        )


def check_entry(entry: Any, position: int) -> None:
    """Check that something is an object with an id: a whole number from 0 up, of 63 bits.

    Args:
        entry: of a list in a file.
        position: its index there, for what has no id to be named by.

    Raises:
        UnfitError: if not.
    """
    if type(entry) is not dict:
        raise UnfitError(f"entry {position} of the list is {shown(entry)}, expected an object")
    number = entry.get("id")
    if type(number) is not int or not 0 <= number <= MOST_ID:
        given = "missing" if number is None else shown(number)
        raise UnfitError(
            f"id of entry {position} of the list is {given}, expected a number from 0 up"
        )


def shown(value: Any) -> str:
    """Any value of a file in a few characters of one line."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring = 2, 6, 3, 60
