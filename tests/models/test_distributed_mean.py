"""Normalisers are the same on every rank, whatever each of them counts."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from qivis.models.distributed_mean import mean_over_ranks

RANK = """
import sys, torch, torch.distributed as dist
from qivis.models.distributed_mean import mean_over_ranks
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
count = torch.tensor(float(rank * 6))
print(mean_over_ranks(count).item(), count.item())
dist.destroy_process_group()
"""


def test_alone_a_count_is_its_own_mean() -> None:
    assert mean_over_ranks(torch.tensor(5.0)).item() == 5


@pytest.mark.slow
def test_two_ranks_have_one_mean_and_keep_their_counts(tmp_path: Path) -> None:
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    answers = [rank.communicate(timeout=120)[0].split() for rank in ranks]
    assert answers == [["3.0", "0.0"], ["3.0", "6.0"]]
