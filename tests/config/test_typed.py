"""Plain values to settings: every kind of field, its conversions and its refusals."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from qivis.config import ExperimentConfig, ModelConfig, from_dict, to_dict
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
