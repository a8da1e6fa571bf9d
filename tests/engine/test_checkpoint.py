"""The state of a training: whole or not at all, and back to the last bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel

from qivis.config.schema import OptimConfig
from qivis.engine.checkpoint import STATE_FILE, load_state, save_state
from qivis.engine.optim import build_optimizer
from qivis.errors import WeightsError
from qivis.models.queryinst import QueryInst
from tests.tiny import TINY, tiny_model


def trained(seed: int = 0) -> tuple[QueryInst, AveragedModel, AdamW]:
    """One step with a made-up gradient, so that the optimizer remembers something."""
    model = tiny_model(seed=seed)
    optimizer, average = build_optimizer(model, OptimConfig()), AveragedModel(model)
    for parameter in model.parameters():
        parameter.grad = parameter.detach().sin() if parameter.requires_grad else None
    optimizer.step()
    average.update_parameters(model)
    return model, average, optimizer


def test_everything_comes_back(tmp_path: Path) -> None:
    model, average, optimizer = trained(seed=0)
    save_state(tmp_path, 7, model, average, optimizer)
    other, other_average, other_optimizer = trained(seed=1)
    assert load_state(tmp_path, other, other_average, other_optimizer) == 7
    for left, right in (
        (model.state_dict(), other.state_dict()),
        (average.state_dict(), other_average.state_dict()),
    ):
        assert all(torch.equal(left[name], right[name]) for name in left)
    for left, right in zip(optimizer.state.values(), other_optimizer.state.values(), strict=True):
        assert torch.equal(left["exp_avg"], right["exp_avg"])
        assert torch.equal(left["exp_avg_sq"], right["exp_avg_sq"])
        assert left["step"] == right["step"] == 1


def test_a_failing_save_leaves_the_last_state(tmp_path: Path) -> None:
    model, average, optimizer = trained()
    save_state(tmp_path, 1, model, average, optimizer)
    before = (tmp_path / STATE_FILE).read_bytes()
    with pytest.raises(Exception, match="pickle"):
        save_state(tmp_path, lambda: 2, model, average, optimizer)  # type: ignore[arg-type]
    assert (tmp_path / STATE_FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    model, _, optimizer = trained()
    save_state(tmp_path, 1, model, None, optimizer)
    other = tiny_model(replace(TINY, width=16))
    with pytest.raises(WeightsError, match=rf"{STATE_FILE}: cannot be resumed from .* same config"):
        load_state(tmp_path, other, None, build_optimizer(other, OptimConfig()))


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    model, _, optimizer = trained()
    save_state(tmp_path, 1, model, None, optimizer)
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=rf"{STATE_FILE}: cannot be resumed from"):
        load_state(tmp_path, model, None, optimizer)


def test_a_state_cannot_run_anything(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"step": Harmful()}, tmp_path / STATE_FILE)
    model, _, optimizer = trained()
    with pytest.raises(WeightsError, match="cannot be resumed from"):
        load_state(tmp_path, model, None, optimizer)
    assert not (tmp_path / "ran").exists()
