"""Plain values to settings: every kind of field, its conversions and its refusals."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from qivis.config import ExperimentConfig, ModelConfig, from_dict, to_dict
from qivis.config.limits import NOT_EMPTY, RISING, Count, DivisorOf, Share
from qivis.errors import ConfigError


@dataclass(frozen=True)
class Part:
    name: str
    count: int = 1


@dataclass(frozen=True)
class Whole:
    flag: bool = False
    count: int = 0
    rate: float = 0.0
    kind: Literal["red", "green"] = "red"
    pair: tuple[int, float] = (0, 0.0)
    many: tuple[int, ...] = ()
    part: Part = field(default_factory=lambda: Part("default"))
    parts: tuple[Part, ...] = ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Whole()),
        ({"flag": True}, Whole(flag=True)),
        ({"rate": 2}, Whole(rate=2.0)),
        ({"kind": "green"}, Whole(kind="green")),
        ({"pair": [1, 2]}, Whole(pair=(1, 2.0))),
        ({"pair": (1, 2.5)}, Whole(pair=(1, 2.5))),
        ({"many": []}, Whole()),
        ({"many": [3, 4, 5]}, Whole(many=(3, 4, 5))),
        ({"part": {"name": "x"}}, Whole(part=Part("x"))),
        (
            {"parts": [{"name": "x"}, {"name": "y", "count": 2}]},
            Whole(parts=(Part("x"), Part("y", 2))),
        ),
    ],
    ids=str,
)
def test_values_become_the_types_of_the_schema(values: dict[str, Any], expected: Whole) -> None:
    settings = from_dict(Whole, values, "here")
    assert settings == expected
    assert type(settings.rate) is float
    assert type(settings.pair[1]) is float


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"flag": 1}, "flag: expected true or false, got 1"),
        ({"count": True}, "count: expected a whole number, got True"),
        ({"count": 1.0}, "count: expected a whole number, got 1.0"),
        ({"count": "1"}, "count: expected a whole number, got '1'"),
        ({"rate": True}, "rate: expected a number, got True"),
        ({"rate": None}, "rate: expected a number, got None"),
        (
            {"kind": "gren"},
            "kind: expected one of 'red', 'green', got 'gren'; did you mean 'green'?",
        ),
        ({"kind": 5}, "kind: expected one of 'red', 'green', got 5"),
        ({"pair": [1]}, "pair: expected 2 values, got [1]"),
        ({"pair": [1, "x"]}, "pair[1]: expected a number, got 'x'"),
        ({"pair": 1}, "pair: expected a list, got 1"),
        ({"many": "345"}, "many: expected a list, got '345'"),
        ({"many": [1, False]}, "many[1]: expected a whole number, got False"),
        ({"part": []}, "part: expected a mapping of fields to values, got []"),
        ({"part": {}}, "part: missing field 'name'"),
        ({"part": {"name": 3}}, "part.name: expected a string, got 3"),
        ({"parts": [{"nam": "x"}]}, "parts[0]: unknown field 'nam'; did you mean 'name'?"),
        ({"parts": [{}]}, "parts[0]: missing field 'name'"),
        (
            {"zzz": 1},
            "unknown field 'zzz'; the fields are flag, count, rate, kind, pair, many, part, parts",
        ),
        ({3: 1}, "unknown field 3; the fields are"),
    ],
    ids=str,
)
def test_a_misfit_is_refused_with_its_place_and_a_remedy(
    values: dict[Any, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Whole, values, "here")
    assert str(caught.value).startswith(f"here: {message}")


@pytest.mark.parametrize(
    "settings",
    [ExperimentConfig(), ModelConfig(backbone="resnet101", num_queries=300)],
    ids=["experiment", "model"],
)
def test_settings_survive_the_way_through_json(settings: Any) -> None:
    values = to_dict(settings)
    assert json.loads(json.dumps(values)) == values
    assert from_dict(type(settings), values, "here") == settings


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ConfigError, match=f"here: rate: expected a finite number, got {value}"):
        from_dict(Whole, {"rate": value}, "here")


def test_a_whole_number_that_no_float_can_hold_is_no_number() -> None:
    with pytest.raises(ConfigError, match="here: rate: expected a number, got 1000"):
        from_dict(Whole, {"rate": 10**400}, "here")


@dataclass(frozen=True)
class Limited:
    count: Annotated[Count, DivisorOf("total")] = 2
    total: int = 6
    share: Share = 0.5
    pair: Annotated[tuple[float, Share], RISING] = (0.0, 1.0)
    some: Annotated[tuple[Count, ...], NOT_EMPTY] = (1,)
    parts: Annotated[tuple[Part, ...], NOT_EMPTY] = (Part("x"),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count: expected 1 or more, got 0"),
        ({"count": "2"}, "count: expected a whole number, got '2'"),
        ({"count": 4}, "count: expected a divisor of total, 6, got 4"),
        ({"total": 5}, "count: expected a divisor of total, 5, got 2"),
        ({"share": 2}, "share: expected 0 to 1, got 2"),
        ({"pair": [0.0, 1.5]}, "pair[1]: expected 0 to 1, got 1.5"),
        ({"pair": [1.0, 0.5]}, "pair: expected two values, the smaller first, got [1.0, 0.5]"),
        ({"some": []}, "some: expected at least one entry, got []"),
        ({"some": [1, 0]}, "some[1]: expected 1 or more, got 0"),
        ({"parts": []}, "parts: expected at least one entry, got []"),
    ],
    ids=str,
)
def test_a_value_beyond_its_limits_is_refused_with_what_will_do(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Limited, values, "here")
    assert str(caught.value) == f"here: {message}"


def test_a_value_within_its_limits_is_taken_as_it_is() -> None:
    values = {"count": 1, "share": 1, "pair": [-1, 0], "some": [3], "parts": [{"name": "y"}]}
    settings = from_dict(Limited, values, "here")
    assert settings == Limited(1, 6, 1.0, (-1.0, 0.0), (3,), (Part("y"),))
    assert type(settings.share) is float
