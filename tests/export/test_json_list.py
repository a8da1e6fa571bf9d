"""Long JSON lists, read entry by entry."""

import ast
import io
import json
from typing import Any

import pytest

from qivis.export.json_list import JsonListError, read_list

VALUES = [
    1.5e-7,
    {"a": [1, None, 'x\\y"z', {"b": 2.5}]},
    12345,
    "text, ] and [",
    True,
    [],
    -0.5,
    {},
]


def values(text: str, chunk: int = 1 << 20) -> list[Any]:
    return [item.value for item in read_list(io.StringIO(text), chunk)]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2])
def test_entries_are_those_of_the_list_wherever_the_text_is_cut(
    chunk: int, indent: int | None
) -> None:
    text = f" \n{json.dumps(VALUES, indent=indent)}\n "
    assert values(text, chunk) == VALUES


@pytest.mark.parametrize("text", ["[]", " [ \n ] "])
def test_an_empty_list_has_no_entries(text: str) -> None:
    assert values(text) == []


def test_entries_are_numbered_from_0() -> None:
    assert [item.index for item in read_list(io.StringIO("[5, 5, 5]"))] == [0, 1, 2]


def test_repeated_keys_are_named_at_any_depth() -> None:
    text = '[{"a": 1, "a": 2}, {"a": 1}, {"b": {"c": 1, "d": 2, "c": 3, "d": 4}, "a": 1}]'
    items = list(read_list(io.StringIO(text), chunk=1))
    assert [item.repeated for item in items] == [("a",), (), ("c", "d")]
    assert items[0].value == {"a": 2}


@pytest.mark.parametrize("chunk", [1, 1000])
@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", 0, "expected a list, which begins with '['"),
        ('{"results": []}', 0, "expected a list"),
        ("\ufeff[]", 0, "expected a list"),
        ("[1, 2", 5, "expected ',' or ']' after entry 1"),
        ("[1 2]", 3, "expected ',' or ']' after entry 0"),
        ("[1, ]", 4, "Expecting value"),
        ("[[1 2, 3, 4, 5, 6, 7, 8, 9]]", 4, "Expecting ',' delimiter"),
        ('[{"a" 1}]', 6, "Expecting ':' delimiter"),
        ("[{'a': 1}]", 2, "Expecting property name"),
        ('[1, "abc]', 4, "Unterminated string"),
        ("[nul]", 1, "Expecting value"),
        ("[1][2]", 3, "there is more behind the end of the list"),
        ("[1, " + "9" * 5000 + "]", 4, "Exceeds the limit"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    chunk: int, text: str, place: int, message: str
) -> None:
    with pytest.raises(JsonListError) as caught:
        values(text, chunk)
    said, _, found = str(caught.value).partition("; found ")
    assert said.startswith(f"character {place}: {message}")
    assert (
        found == "the end"
        if place >= len(text)
        else text[place:].startswith(ast.literal_eval(found))
    )


def test_bottomless_nesting_is_an_error() -> None:
    with pytest.raises(JsonListError, match="character 1: "):
        values("[" * 200_000)


def test_entries_before_the_damage_are_given() -> None:
    given = read_list(io.StringIO("[1, 2, x]"))
    assert [next(given).value, next(given).value] == [1, 2]
    with pytest.raises(JsonListError):
        next(given)


def test_text_that_is_not_utf_8_is_an_error() -> None:
    stream = io.TextIOWrapper(io.BytesIO(b'["a", "\xff"]'), encoding="utf-8")
    with pytest.raises(JsonListError, match="not UTF-8"):
        list(read_list(stream))


def test_no_more_is_read_than_an_entry_needs() -> None:
    stream = io.StringIO(json.dumps([VALUES] * 10_000))
    next(read_list(stream, chunk=100))
    assert stream.tell() <= 400


def test_damage_is_seen_where_it_is_and_not_at_the_end_of_the_text() -> None:
    stream = io.StringIO('[{"a": nothing}, ' + json.dumps([VALUES] * 10_000)[1:])
    with pytest.raises(JsonListError, match="character 7"):
        list(read_list(stream, chunk=100))
    assert stream.tell() <= 400


def test_a_long_entry_is_not_begun_anew_for_every_piece_that_is_read() -> None:
    class Counted(io.StringIO):
        reads = 0

        def read(self, size: int | None = -1) -> str:
            self.reads += 1
            return super().read(size)

    stream = Counted(json.dumps([list(range(10_000))]))
    assert next(read_list(stream, chunk=10)).value == list(range(10_000))
    assert stream.reads < 20  # each about as long as all before
