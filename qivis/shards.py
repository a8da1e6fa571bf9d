"""Much work for many processes: which part of a list is whose, without anybody to hand it out."""

import os
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from qivis.errors import ConfigError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """One of `count` parts; 0 <= index < count."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items at positions congruent to `index` modulo `count`: neighbours are spread."""
        return items[self.index :: self.count]


def shard_argument(text: str) -> Shard:
    """The shard of a command line, such as 0/4.

    Raises:
        ArgumentTypeError: if it is none.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ArgumentTypeError(f"expected I/N with 0 <= I < N, such as 0/4, got {text!r}")
    return Shard(int(index), int(count))


def own_shard(asked: Shard | None, environment: Mapping[str, str] = os.environ) -> Shard | None:
    """The shard of this process: what was asked for, else what torchrun made it.

    Args:
        asked: on the command line.
        environment: in which torchrun sets RANK and WORLD_SIZE.

    Returns:
        None if the work is not shared.

    Raises:
        ConfigError: if RANK and WORLD_SIZE make no sense.
    """
    if asked or not {"RANK", "WORLD_SIZE"} <= environment.keys():
        return asked
    text = f"{environment['RANK']}/{environment['WORLD_SIZE']}"
    try:
        return shard_argument(text)
    except ArgumentTypeError as error:
        raise ConfigError(
            f"RANK/WORLD_SIZE: {error}; give --shard, or unset the variables"
        ) from error
