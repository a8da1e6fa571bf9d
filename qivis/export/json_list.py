"""A JSON list read entry by entry, however long it is: one entry is in memory at a time."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

CHUNK = 1 << 20
SPACE = re.compile(r"[ \t\n\r]*")
LONGEST_WORD = len("-Infinity")


@dataclass(frozen=True)
class Item:
    """One entry of a list.

    index: its position, from 0.
    value: what it is, as `json.loads` says.
    repeated: keys that an object in it has more than once; the last one counted.
    """

    index: int
    value: Any
    repeated: tuple[str, ...]


class JsonListError(ValueError):
    """What is read is not a list, or not JSON; says where."""


def read_list(stream: TextIO, chunk: int = CHUNK) -> Iterator[Item]:
    """The entries of a JSON list.

    Args:
        stream: the text.
        chunk: characters that are read at once.

    Raises:
        JsonListError: when the place is reached where the text is damaged or is no list.
    """
    window = _Window(stream, chunk)
    if window.next_character() != "[":
        raise window.error("expected a list, which begins with '['")
    window.step()
    separator = window.next_character()
    if separator == "]":
        window.step()
    index = 0
    while separator != "]":
        yield Item(index, *window.value())
        index += 1
        separator = window.next_character()
        if separator not in {",", "]"}:
            raise window.error(f"expected ',' or ']' after entry {index - 1}")
        window.step()
    if window.next_character():
        raise window.error("there is more behind the end of the list")


class _Window:
    """The part of a text that is looked at."""

    def __init__(self, stream: TextIO, chunk: int) -> None:
        self._stream = stream
        self._chunk = chunk
        self._text = ""
        self._place = 0
        self._dropped = 0  # characters before the window
        self._repeated: list[str] = []
        self._decoder = json.JSONDecoder(object_pairs_hook=self._to_dict)

    def next_character(self) -> str:
        """The next one that is not white space, or nothing at the end of the text."""
        while True:
            space = SPACE.match(self._text, self._place)
            assert space is not None, "nothing is white space, too"
            self._place = space.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._read_on():
                return ""

    def step(self) -> None:
        """Go beyond the next character."""
        self._place += 1

    def value(self) -> tuple[Any, tuple[str, ...]]:
        """Read the next value and go beyond it; with the keys that are repeated in it."""
        self.next_character()
        while True:
            self._repeated.clear()
            try:
                value, end = self._decoder.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._read_on():
                    continue
                raise self.error(error.msg, error.pos) from error
            except (ValueError, RecursionError) as error:  # huge numbers, bottomless nesting
                raise self.error(str(error)) from error
            if self._is_near_end(end) and self._read_on():
                continue  # a number may go on: of 1.5e-7, 1 was read
            self._place = end
            return value, tuple(self._repeated)

    def error(self, message: str, place: int | None = None) -> JsonListError:
        """What is wrong at a place of the window, by default at the next character."""
        place = self._place if place is None else place
        found = repr(self._text[place : place + 20]) if place < len(self._text) else "the end"
        return JsonListError(f"character {self._dropped + place}: {message}; found {found}")

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the error may come from the window's end, so that more text may mend it."""
        return self._is_near_end(error.pos) or error.msg.startswith("Unterminated string")

    def _is_near_end(self, place: int) -> bool:
        return place > len(self._text) - LONGEST_WORD

    def _read_on(self) -> bool:
        """Leave behind what is done with and read more, if there is more.

        As much as is kept is read, so that a long value is not begun anew too often.
        """
        kept = self._text[self._place :]
        try:
            more = self._stream.read(max(self._chunk, len(kept)))
        except UnicodeDecodeError as error:
            raise self.error(f"not UTF-8 within what follows ({error.reason})") from error
        if more:
            self._dropped += self._place
            self._text, self._place = kept + more, 0
        return bool(more)

    def _to_dict(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            keys = [key for key, _ in pairs]
            self._repeated += [key for key in content if keys.count(key) > 1]
        return content
