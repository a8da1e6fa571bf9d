"""Batch norm over the rows of all ranks is batch norm over the rows of one."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from qivis.models.synced_norm import SyncedBatchNorm
from tests.ranks import run_code

# The first rank has 3 of 5 rows; then all 5, and the other none.
CODE = """
import json
from tests.models.test_synced_norm import figures, rows
from qivis.models.synced_norm import SyncedBatchNorm
parts = []
for share in (slice(0, 3) if rank == 0 else slice(3, 5), slice(0, 5) if rank == 0 else slice(5, 5)):
    parts.append(figures(SyncedBatchNorm(2).double(), share))
answer.write_text(json.dumps(parts))
"""


def rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 2, 3, 3, generator=generator, dtype=torch.float64) * 3 + 1


def figures(norm: nn.BatchNorm2d, share: slice) -> dict[str, list[float]]:
    """All that a training step makes of some of the rows, if each has a weight of its own."""
    inputs = rows()[share].requires_grad_()
    weights = torch.arange(90.0, dtype=torch.float64).sin().view(5, 2, 3, 3)[share]
    outputs = norm.train()(inputs)
    (outputs.square() * weights).sum().backward()
    found = {
        "outputs": outputs,
        "inputs": inputs.grad,
        "weight": norm.weight.grad,
        "bias": norm.bias.grad,
        "mean": norm.running_mean,
        "variance": norm.running_var,
        "batches": norm.num_batches_tracked,
    }
    return {name: value.detach().flatten().tolist() for name, value in found.items()}


def test_two_ranks_normalise_and_learn_as_one_with_all_rows(tmp_path: Path) -> None:
    expected = figures(nn.BatchNorm2d(2).double(), slice(0, 5))
    answers = [json.loads(answer) for answer in run_code(CODE, tmp_path)]
    for first, second in zip(*answers, strict=True):
        for name in ("outputs", "inputs"):
            assert first[name] + second[name] == pytest.approx(expected[name], abs=1e-12)
        for name in ("weight", "bias"):  # each rank has the part of its own rows
            sums = [a + b for a, b in zip(first[name], second[name], strict=True)]
            assert sums == pytest.approx(expected[name], abs=1e-12)
        for name in ("mean", "variance", "batches"):
            assert first[name] == pytest.approx(expected[name], abs=1e-12)
            assert second[name] == first[name]


@pytest.mark.parametrize("training", [True, False])
def test_alone_it_is_batch_norm(training: bool) -> None:
    norm, plain = SyncedBatchNorm(2), nn.BatchNorm2d(2)
    assert norm.state_dict().keys() == plain.state_dict().keys()
    features = rows().float()
    assert torch.equal(norm.train(training)(features), plain.train(training)(features))
    assert torch.equal(norm.running_var, plain.running_var)
