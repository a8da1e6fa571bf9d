"""Plain values (dicts, lists, strings, numbers) become settings dataclasses, strictly, and back.

Two steps, because a config file may give only some fields of a section: `typed_fields` checks what
is there, `build` asks for what is missing.
"""

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from qivis.config.limits import DivisorOf, Limit
from qivis.errors import ConfigError
from qivis.wording import did_you_mean

Settings = TypeVar("Settings")
_SHOWN = 100  # characters of a value in a message
_LARGEST = 2**63  # what goes into arrays and files as a whole number is smaller
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


@dataclass(frozen=True)
class Place:
    """Where a value stands, for error messages.

    source: the file or the override.
    path: fields that lead to the value, such as `model.backbone`.
    """

    source: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.source}: {self.path}" if self.path else self.source

    def field(self, name: str) -> Self:
        """The place of a field of the mapping that stands here."""
        return dataclasses.replace(self, path=f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Self:
        """The place of an entry of the list that stands here."""
        return dataclasses.replace(self, path=f"{self.path}[{index}]")


def from_dict(kind: type[Settings], values: Mapping[str, Any], source: str) -> Settings:
    """A settings dataclass of plain values, as strict as a config file.

    Args:
        kind: the dataclass, such as `ModelConfig`.
        values: what `to_dict` gave, perhaps by way of JSON; absent fields take their defaults.
        source: where the values are from, for error messages.

    Raises:
        ConfigError: for an unknown field, a wrong type, choice or size, or a field that is missing.
    """
    place = Place(source)
    return build(kind, typed_fields(kind, values, place), place)


def to_dict(settings: Any) -> dict[str, Any]:
    """The fields of a settings dataclass as JSON has them: dicts, lists, strings and numbers."""
    return {
        field.name: _plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)
    }


def typed_fields(kind: Any, values: Any, place: Place) -> dict[str, Any]:
    """Some fields of a dataclass, each checked and in its own type; its sections stay dicts.

    Raises:
        ConfigError: for an unknown field, or a wrong type, choice or size.
    """
    if not isinstance(values, Mapping):
        raise _mismatch("a mapping of fields to values", values, place)
    hints = typing.get_type_hints(kind, include_extras=True)
    for name in values:
        if name not in hints:
            remedy = _suggest(name, hints) or f"; the fields are {', '.join(hints)}"
            raise ConfigError(f"{place}: unknown field {shown(name)}{remedy}")
    return {name: cast(hints[name], value, place.field(name)) for name, value in values.items()}


def cast(expected: Any, value: Any, place: Place) -> Any:
    """One value in the type that the schema states for it.

    Raises:
        ConfigError: if it is of another type or beyond a limit; a whole number will do for a float,
            a bool will not do for a number, nor will infinity or what is not a number.
    """
    origin = typing.get_origin(expected)
    if origin is Annotated:
        return _cast_limited(typing.get_args(expected), value, place)
    if dataclasses.is_dataclass(expected):
        return typed_fields(expected, value, place)
    if origin is tuple:
        return _cast_tuple(typing.get_args(expected), value, place)
    if origin is Literal:
        return _cast_choice(typing.get_args(expected), value, place)
    if expected is float and type(value) is int and abs(value) < _LARGEST:
        return float(value)
    if type(value) is not expected or (expected is int and abs(value) >= _LARGEST):
        raise _mismatch(_NAMES[expected], value, place)
    if expected is float and not math.isfinite(value):
        raise _mismatch("a finite number", value, place)
    return value


def build(kind: type[Settings], fields: Mapping[str, Any], place: Place) -> Settings:
    """The dataclass of typed fields, its sections built first.

    Raises:
        ConfigError: if a field without a default is missing, or two do not go together.
    """
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        defaults = {field.default, field.default_factory}
        if field.name not in fields and defaults == {dataclasses.MISSING}:
            raise ConfigError(f"{place}: missing field {field.name!r}")
    hints = typing.get_type_hints(kind, include_extras=True)
    settings = kind(
        **{name: _built(hints[name], value, place.field(name)) for name, value in fields.items()}
    )
    for name, hint in hints.items():
        _check_divisor(settings, name, hint, place)
    return settings


def _check_divisor(settings: Any, name: str, hint: Any, place: Place) -> None:
    value = getattr(settings, name)
    for limit in getattr(hint, "__metadata__", ()):
        if isinstance(limit, DivisorOf) and getattr(settings, limit.field) % value:
            expected = f"a divisor of {limit.field}, {getattr(settings, limit.field)}"
            raise _mismatch(expected, value, place.field(name))


def _built(kind: Any, value: Any, place: Place) -> Any:
    is_section = dataclasses.is_dataclass(kind)
    return build(kind, value, place) if is_section else value


def _cast_limited(arguments: tuple[Any, ...], value: Any, place: Place) -> Any:
    """`arguments` are a type and its limits; those that other fields set are checked in `build`."""
    kind, *limits = arguments
    given = cast(kind, value, place)
    for limit in limits:
        if isinstance(limit, Limit) and not limit.holds(given):
            raise _mismatch(limit.expected, value, place)
    return given


def _cast_tuple(kinds: tuple[Any, ...], value: Any, place: Place) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _mismatch("a list", value, place)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _mismatch(f"{len(kinds)} values", value, place)
    places = map(place.item, range(len(value)))
    return tuple(
        _built(kind, cast(kind, entry, here), here)
        for kind, entry, here in zip(kinds, value, places, strict=True)
    )


def _cast_choice(choices: tuple[Any, ...], value: Any, place: Place) -> Any:
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        expected = f"one of {', '.join(map(repr, choices))}"
        raise ConfigError(f"{_mismatch(expected, value, place)}{_suggest(value, choices)}")
    return value


def _mismatch(expected: str, value: Any, place: Place) -> ConfigError:
    return ConfigError(f"{place}: expected {expected}, got {shown(value)}")


def shown(value: Any) -> str:
    """A value for a message, shortened if it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # of more digits, or deeper, than Python writes
        return "what is too long to be shown"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _suggest(value: Any, choices: Iterable[str]) -> str:
    question = did_you_mean(value, choices)
    return f"; {question}" if question else ""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
