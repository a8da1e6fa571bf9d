"""Who does what, when many processes share the work."""

from argparse import ArgumentTypeError

import pytest

from qivis.errors import ConfigError
from qivis.shards import Shard, own_shard, shard_argument


def test_a_shard_takes_every_nth() -> None:
    assert Shard(1, 3).of("abcdefgh") == "beh"
    assert Shard(2, 3).of("ab") == ""


@pytest.mark.parametrize("total", [0, 1, 5, 12])
@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_every_item_is_in_one_shard(total: int, count: int) -> None:
    parts = [Shard(index, count).of(range(total)) for index in range(count)]
    assert sorted(item for part in parts for item in part) == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_shards_are_read_as_they_are_written() -> None:
    assert shard_argument("3/4") == Shard(3, 4)
    assert str(Shard(3, 4)) == "3/4"


@pytest.mark.parametrize("text", ["4/4", "0/0", "-1/4", "1", "1/", "a/b", "1/2/3", "", "1.0/2"])
def test_what_is_no_shard_is_named(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"expected I/N with 0 <= I < N, .* got '") as error:
        shard_argument(text)
    assert str(error.value).endswith(repr(text))


def test_the_command_line_comes_before_torchrun() -> None:
    torchrun = {"RANK": "1", "WORLD_SIZE": "2"}
    assert own_shard(None, torchrun) == Shard(1, 2)
    assert own_shard(Shard(0, 7), torchrun) == Shard(0, 7)
    assert own_shard(None, {}) is None
    assert own_shard(None, {"RANK": "0"}) is None


def test_an_environment_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"RANK/WORLD_SIZE: expected .* got '2/2'; give --shard"):
        own_shard(None, {"RANK": "2", "WORLD_SIZE": "2"})
