"""The state of a training: whole or not at all, and back to the last bit."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from qivis.config.schema import ModelConfig, OptimConfig
from qivis.engine.checkpoint import (
    STATE_BEFORE,
    STATE_FILE,
    Progress,
    Trained,
    has_state,
    load_state,
    save_state,
)
from qivis.engine.optim import build_optimizer
from qivis.errors import WeightsError
from qivis.structures import Categories, Category
from tests.models.test_plain_load import packed
from tests.tiny import TINY, tiny_model

CLASSES = Categories((Category(1, "circle"), Category(2, "square"), Category(3, "triangle")))


def trained(seed: int = 0, config: ModelConfig = TINY) -> Trained:
    """One step with a made-up gradient, so that the optimizer remembers something."""
    model = tiny_model(config, seed=seed)
    optimizer, average = build_optimizer(model, OptimConfig()), AveragedModel(model)
    for parameter in model.parameters():
        parameter.grad = parameter.detach().sin() if parameter.requires_grad else None
    optimizer.step()
    average.update_parameters(model)
    return Trained(model, average, optimizer)


def weight_of(trained: Trained) -> torch.Tensor:
    return trained.model.get_parameter("stages.0.flatten.weight")


def test_everything_comes_back(tmp_path: Path) -> None:
    first, other = trained(seed=0), trained(seed=1)
    save_state(tmp_path, Progress(step=7, skipped=3, skipped_in_a_row=2), first, CLASSES)
    assert load_state(tmp_path, other, CLASSES) == Progress(step=7, skipped=3, skipped_in_a_row=2)
    assert first.average is not None
    assert other.average is not None
    for left, right in (
        (first.model.state_dict(), other.model.state_dict()),
        (first.average.state_dict(), other.average.state_dict()),
    ):
        assert all(torch.equal(left[name], right[name]) for name in left)
    states = first.optimizer.state.values(), other.optimizer.state.values()
    for left, right in zip(*states, strict=True):
        assert torch.equal(left["exp_avg"], right["exp_avg"])
        assert torch.equal(left["exp_avg_sq"], right["exp_avg_sq"])
        assert left["step"] == right["step"] == 1


@pytest.mark.parametrize("harm", ["truncated", "a bit", "emptied"])
def test_of_a_damaged_state_the_one_before_it_is_taken(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = trained(seed=0), trained(seed=1)
    save_state(tmp_path, Progress(step=1), first, CLASSES)
    save_state(tmp_path, Progress(step=2), second, CLASSES)
    path = tmp_path / STATE_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # in the middle of the weights, where no format would notice
    harmed = {"truncated": content[: len(content) // 2], "a bit": content, "emptied": b""}
    path.write_bytes(harmed[harm])
    restored = trained(seed=2)
    assert load_state(tmp_path, restored, CLASSES) == Progress(step=1)
    assert torch.equal(weight_of(restored), weight_of(first))
    assert f"{path}: damaged, its checksum is another" in caplog.text


def test_a_process_that_dies_between_two_names_leaves_the_state_before(tmp_path: Path) -> None:
    first = trained(seed=0)
    save_state(tmp_path, Progress(step=1), first, CLASSES)
    (tmp_path / STATE_FILE).rename(tmp_path / STATE_BEFORE)
    assert has_state(tmp_path)
    assert load_state(tmp_path, trained(seed=1), CLASSES) == Progress(step=1)


def test_a_full_disk_leaves_the_last_state_whole_and_says_so(tmp_path: Path) -> None:
    save_state(tmp_path, Progress(step=1), trained(), CLASSES)
    before = (tmp_path / STATE_FILE).read_bytes()
    # No file may become larger than this: what a write beyond it meets is what a full disk gives.
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from qivis.engine.checkpoint import Progress, save_state\n"
        "from tests.engine.test_checkpoint import CLASSES, trained\n"
        "state = trained()\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2},) * 2)\n"
        "save_state(Path(sys.argv[1]), Progress(step=2), state, CLASSES)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the checkpoint of step 2 cannot be written" in done.stderr.splitlines()[-1]
    assert "the checkpoint before it is whole" in done.stderr.splitlines()[-1]
    assert (tmp_path / STATE_FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    save_state(tmp_path, Progress(step=1), trained(), CLASSES)
    other = trained(config=replace(TINY, width=16))
    with pytest.raises(WeightsError, match=rf"{STATE_FILE}: cannot be resumed from .* same config"):
        load_state(tmp_path, other, CLASSES)


def test_a_state_of_other_classes_is_refused(tmp_path: Path) -> None:
    """As many as before, so that every weight fits."""
    save_state(tmp_path, Progress(step=1), trained(), CLASSES)
    turned = Categories((Category(1, "circle"), Category(2, "triangle"), Category(3, "square")))
    with pytest.raises(WeightsError, match="class 1 is 'square', the config's is 'triangle'"):
        load_state(tmp_path, trained(), turned)


def test_a_state_from_before_classes_were_kept_is_taken(tmp_path: Path) -> None:
    save_state(tmp_path, Progress(step=3), trained(), CLASSES)
    path = tmp_path / STATE_FILE
    state = torch.load(path, weights_only=True)
    del state["classes"]
    torch.save(state, path)
    path.write_bytes(path.read_bytes() + hashlib.sha256(path.read_bytes()).digest())
    assert load_state(tmp_path, trained(seed=1), CLASSES) == Progress(step=3)


def test_the_optimizer_has_the_settings_of_the_config_and_not_those_before(tmp_path: Path) -> None:
    save_state(tmp_path, Progress(step=1), trained(), CLASSES)
    other = trained(seed=1)
    for group in other.optimizer.param_groups:
        group["weight_decay"] = 50.0
    load_state(tmp_path, other, CLASSES)
    assert {group["weight_decay"] for group in other.optimizer.param_groups} == {50.0}


def test_without_a_whole_state_nothing_is_resumed(tmp_path: Path) -> None:
    save_state(tmp_path, Progress(step=1), trained(), CLASSES)
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"cannot be resumed from \(damaged, and no whole"):
        load_state(tmp_path, trained(), CLASSES)


def sign(path: Path) -> None:
    """Give a file of a stranger the checksum that it needs."""
    path.write_bytes(path.read_bytes() + hashlib.sha256(path.read_bytes()).digest())


def test_a_state_cannot_run_anything(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / STATE_FILE
    torch.save({"progress": Harmful()}, path)
    sign(path)
    with pytest.raises(WeightsError, match=r"not a readable checkpoint .*it would run"):
        load_state(tmp_path, trained(), CLASSES)
    assert not (tmp_path / "ran").exists()


def test_a_state_cannot_be_larger_inside_than_outside(tmp_path: Path) -> None:
    torch.save({"progress": torch.arange(4000.0)}, tmp_path / "good.pt")
    packed(tmp_path / "good.pt", tmp_path / STATE_FILE, zeros=20)
    sign(tmp_path / STATE_FILE)
    with pytest.raises(WeightsError, match=r"bytes that would unpack to 20,\d{3},\d{3}"):
        load_state(tmp_path, trained(), CLASSES)


@pytest.mark.parametrize("step", [-1, 1.5, None])
def test_a_step_that_cannot_be_is_refused(tmp_path: Path, step: Any) -> None:
    save_state(tmp_path, Progress(step=step), trained(), CLASSES)
    with pytest.raises(WeightsError, match=f"{step} is no number of steps"):
        load_state(tmp_path, trained(), CLASSES)
