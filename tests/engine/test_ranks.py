"""What ranks say to one another."""

import json
from pathlib import Path

import pytest
import torch

from qivis.engine.ranks import (
    current_shard,
    gathered,
    joined,
    means_over_ranks,
    on_any_rank,
    synchronised,
)
from qivis.shards import Shard
from tests.ranks import run_code

CPU = torch.device("cpu")
CODE = """
import json
from qivis.engine.ranks import gathered, means_over_ranks, on_any_rank
items = ["a", "b", "c", "d", "e"][rank :: shard.count]
answer.write_text(json.dumps({
    "shard": [shard.index, shard.count],
    "any": on_any_rank([rank == 0, rank == 1, False], device),
    "means": means_over_ranks({"loss": 1.0 + rank, "norm": 4.0}, device),
    "own": list(shard.of(range(5))),
    "gathered": gathered(items),
    "nothing": gathered(["only"] if rank == 0 else []),
}))
"""


def test_two_ranks_agree_and_the_first_gets_all(tmp_path: Path) -> None:
    first, second = map(json.loads, run_code(CODE, tmp_path))
    for answer in (first, second):
        assert answer["any"] == [True, True, False]
        assert answer["means"] == {"loss": 1.5, "norm": 4.0}
    assert (first["shard"], second["shard"]) == ([0, 2], [1, 2])
    assert (first["own"], second["own"]) == ([0, 2, 4], [1, 3])
    assert (first["gathered"], second["gathered"]) == (["a", "c", "e", "b", "d"], [])
    assert (first["nothing"], second["nothing"]) == (["only"], [])


THREADS = """
import os
import torch.distributed as dist
from torch.distributed.nn.functional import all_reduce
def threads():
    tasks = os.listdir("/proc/self/task")
    return [Path(f"/proc/self/task/{task}/comm").read_text().strip() for task in tasks]
during = threads()
all_reduce(torch.ones(1))
dist.destroy_process_group()
after = threads()
dist.init_process_group("gloo")  # which is left again
answer.write_text(" ".join(during) + "; " + " ".join(after))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of threads")
def test_the_threads_of_a_group_end_with_it(tmp_path: Path) -> None:
    # Else one of them may hold an object of Python's when the process ends, which then aborts.
    for answer in run_code(THREADS, tmp_path):
        during, after = answer.split("; ")
        assert "gloo" in during
        assert "gloo" not in after


def test_a_process_alone_asks_nobody() -> None:
    with joined(CPU) as shard:
        assert shard == current_shard() == Shard(0, 1)
        assert on_any_rank([True, False], CPU) == [True, False]
        assert means_over_ranks({"loss": 2.0}, CPU) == {"loss": 2.0}
        assert gathered([1, 2]) == [1, 2]
        module = torch.nn.Linear(1, 1)
        assert synchronised(module, shard) is module
