"""What a setting may be beyond its type; `schema` writes it beside the type, `typed` checks it.

Every number of settings is finite; that needs no limit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Limit:
    """expected: which values will do, for messages. holds: whether one of the right type does."""

    expected: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class DivisorOf:
    """A limit that another field of the same section sets: it divides by the value."""

    field: str


Natural = Annotated[int, Limit("0 or more", lambda value: value >= 0)]
Count = Annotated[int, Limit("1 or more", lambda value: value >= 1)]
# Of less than a few pixels no object is left; torch cannot resize a picture to a single one.
Side = Annotated[int, Limit("8 or more", lambda value: value >= 8)]
SideOrNone = Annotated[int, Limit("0, or 8 or more", lambda value: value == 0 or value >= 8)]
Channels = Annotated[  # of maps whose group norms have 8 groups
    int, Limit("a multiple of 8", lambda value: value >= 8 and value % 8 == 0)
]

Amount = Annotated[float, Limit("0 or more", lambda value: value >= 0)]
Positive = Annotated[float, Limit("more than 0", lambda value: value > 0)]
Share = Annotated[float, Limit("0 to 1", lambda value: 0 <= value <= 1)]
Decay = Annotated[float, Limit("0 or more and less than 1", lambda value: 0 <= value < 1)]

NOT_EMPTY = Limit("at least one entry", lambda values: len(values) > 0)
RISING = Limit("two values, the smaller first", lambda values: values[0] <= values[1])
