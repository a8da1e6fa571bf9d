"""A step that cannot be taken leaves no trace; one that can depends on nothing before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qivis.config.schema import OptimConfig
from qivis.data.loader import BatchOrder, training_loader
from qivis.engine.checkpoint import Trained
from qivis.engine.fit import Run
from qivis.engine.image_run import build_image_run
from qivis.engine.optim import build_optimizer
from qivis.engine.step import Stepper
from qivis.engine.stopping import Stopping, StopSignal
from qivis.shards import Shard
from qivis.structures import Batch

CONFIG = Path(__file__).parents[2] / "configs" / "debug" / "tiny_shapes_image.yaml"
CPU = torch.device("cpu")


class Poisoned(nn.Module):
    """The losses of a training, one of them spoilt."""

    def __init__(self, training: nn.Module, poison: float) -> None:
        super().__init__()
        self.training_module = training
        self.poison = poison

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.training_module(batch)
        return {**losses, "stage0/mask": losses["stage0/mask"] * self.poison}


def build(shapes: Path, tmp_path: Path) -> tuple[Run, Trained, Iterator[Batch]]:
    run = build_image_run(CONFIG, ["model.mask_norm=batch"], shapes, tmp_path, "cpu", None)
    optim = run.config.optim
    average = torch.optim.swa_utils.AveragedModel(run.model)
    trained = Trained(run.model, average, build_optimizer(run.model, optim))
    order = BatchOrder(run.clips.is_wide, optim, first_step=0, shard=Shard(0, 1))
    return run, trained, iter(training_loader(run.clips, order, workers=0))


def stepper(run: Run, trained: Trained, poison: float = 1.0) -> Stepper:
    return Stepper(Poisoned(run.training, poison), trained, run.config.optim, CPU, rank=0)


def state(trained: Trained) -> dict[str, Tensor]:
    assert trained.average is not None
    optimizer = trained.optimizer.state_dict()["state"]
    tensors = {
        **{f"model/{name}": value for name, value in trained.model.state_dict().items()},
        **{f"average/{name}": value for name, value in trained.average.state_dict().items()},
        **{f"{i}/{name}": value for i, of in optimizer.items() for name, value in of.items()},
    }
    return {name: value.clone() for name, value in tensors.items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert before.keys() <= after.keys()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_step_whose_loss_is_not_finite_changes_nothing(
    shapes: Path, tmp_path: Path, poison: float
) -> None:
    run, trained, batches = build(shapes, tmp_path)
    assert stepper(run, trained).step(batches, 0, Stopping()).is_finite
    before = state(trained)
    step = stepper(run, trained, poison).step(batches, 1, Stopping())
    assert not step.is_finite
    assert not step.losses["stage0/mask"].isfinite()
    assert step.losses["stage1/mask"].isfinite()
    assert changed(before, state(trained)) == set()
    assert stepper(run, trained).step(batches, 2, Stopping()).is_finite
    moved = changed(before, state(trained))
    assert {"model/mask_heads.0.convs.1.running_mean", "average/n_averaged"} <= moved


def test_a_process_that_loads_and_was_told_to_end_ends_the_training_between_two_steps(
    shapes: Path, tmp_path: Path
) -> None:
    run, trained, batches = build(shapes, tmp_path)
    before = state(trained)

    def killed() -> Iterator[Batch]:
        yield next(batches)
        raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Terminated.")

    twice = OptimConfig(accumulate=2)  # after the first of two forward passes
    asked = Stopping()
    asked.is_asked = True
    with pytest.raises(StopSignal):
        Stepper(run.training, trained, twice, CPU, rank=0).step(killed(), 0, asked)
    assert changed(before, state(trained)) == set()
    with pytest.raises(RuntimeError, match="Terminated"):
        Stepper(run.training, trained, twice, CPU, rank=0).step(killed(), 0, Stopping())


def test_who_was_asked_to_end_takes_the_step_and_says_so(shapes: Path, tmp_path: Path) -> None:
    run, trained, batches = build(shapes, tmp_path)
    asked = Stopping()
    assert not stepper(run, trained).step(batches, 0, asked).is_last
    asked.is_asked = True
    assert stepper(run, trained).step(batches, 1, asked).is_last
