"""The training loop: it learns, it goes on as if it had never stopped, it refuses to overwrite."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from qivis.data.loader import BatchOrder, training_loader
from qivis.engine.checkpoint import STATE_FILE
from qivis.engine.fit import WEIGHTS_FILE, Run, fit
from qivis.engine.image_run import build_image_run
from qivis.engine.optim import build_optimizer
from qivis.errors import DataError, QivisError, WeightsError
from qivis.models.optimize_training import FrozenStage, optimize_training
from qivis.models.queryinst import QueryInst
from qivis.models.weights import load_weights
from qivis.shards import Shard

CONFIG = Path(__file__).parents[2] / "configs" / "debug" / "tiny_shapes_image.yaml"
# Two steps an epoch, six in all; checkpoints after three and six, evaluations after each epoch.
SHORT = ("optim.epochs=3", "optim.checkpoint_steps=3", "optim.evaluate_epochs=1")


def build(shapes: Path, folder: Path, *overrides: str) -> Run:
    return build_image_run(CONFIG, [*SHORT, *overrides], shapes, folder, "cpu", None)


def counting(count: list[int]) -> Callable[[QueryInst], Mapping[str, float]]:
    """An evaluation that costs nothing."""

    def evaluate(model: QueryInst) -> Mapping[str, float]:
        count.append(sum(p.numel() for p in model.parameters()))
        return {"box/AP": float(len(count))}

    return evaluate


def interrupted_at(call: int) -> Callable[[QueryInst], Mapping[str, float]]:
    """As if somebody pressed Ctrl-C during an evaluation."""
    calls: list[int] = []

    def evaluate(model: QueryInst) -> Mapping[str, float]:
        figures = counting(calls)(model)
        if len(calls) == call:
            raise KeyboardInterrupt
        return figures

    return evaluate


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = load_file(folder / WEIGHTS_FILE)
    return tensors


def lines_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "overrides",
    [
        ("optim.workers=0",),
        ("optim.workers=2", "optim.ema_decay=0.9"),
        ("optim.accumulate=2", "optim.precision=bfloat16", "model.mask_norm=batch"),
    ],
    ids=["plain", "workers and mean", "accumulated, bfloat16, batch norm"],
)
def test_a_resumed_run_ends_bit_for_bit_like_one_that_never_stopped(
    shapes: Path, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    whole = replace(build(shapes, tmp_path / "whole", *overrides), evaluate=counting([]))
    fit(whole, resume=False)
    # Interrupted after step 4, when the last checkpoint is that of step 3.
    broken = replace(build(shapes, tmp_path / "broken", *overrides), evaluate=interrupted_at(2))
    with pytest.raises(KeyboardInterrupt):
        fit(broken, resume=False)
    resumed = replace(build(shapes, tmp_path / "broken", *overrides), evaluate=counting([]))
    fit(resumed, resume=True)
    expected, found = weights_of(whole.folder), weights_of(resumed.folder)
    assert expected.keys() == found.keys()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert [line["step"] for line in lines_of(whole.folder)] == [2, 4, 6]
    assert [line["step"] for line in lines_of(resumed.folder)] == [2, 4, 6]


def test_a_step_follows_the_mean_gradient_of_its_forward_passes(
    shapes: Path, tmp_path: Path
) -> None:
    # One step of two passes over three clips each, and nothing clipped.
    overrides = (
        "optim.epochs=1",
        "optim.batch_size=6",
        "optim.accumulate=2",
        "optim.clip_norm=1e9",
    )
    fit(replace(build(shapes, tmp_path, *overrides), evaluate=counting([])), resume=False)
    state = torch.load(tmp_path / STATE_FILE, weights_only=True)["optimizer"]["state"]

    run = build(shapes, tmp_path, *overrides)
    optim = run.config.optim
    order = BatchOrder(run.clips.is_wide, optim, first_step=0, shard=Shard(0, 1))
    optimize_training(run.model)  # as `fit` does, to the same rounding
    run.training.train()
    for batch in training_loader(run.clips, order, workers=0):
        (sum(run.training(batch).values()) / 2).backward()
    groups = build_optimizer(run.model, optim).param_groups
    parameters = [parameter for group in groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        # After one step Adam remembers a tenth of the gradient.
        expected = 0.1 * parameter.grad
        assert torch.allclose(state[index]["exp_avg"], expected, rtol=1e-3, atol=1e-6)


def test_the_mean_of_the_weights_is_what_is_measured_and_stored(
    shapes: Path, tmp_path: Path
) -> None:
    run = replace(build(shapes, tmp_path, "optim.ema_decay=0.9"), evaluate=counting([]))
    fit(run, resume=False)
    name = "stages.0.flatten.weight"
    state = torch.load(tmp_path / STATE_FILE, weights_only=True)
    mean = state["average"][f"module.{name}"]
    assert torch.equal(weights_of(tmp_path)[name], mean)
    assert not torch.equal(run.model.get_parameter(name), mean)


def test_what_is_frozen_stays_as_it_was(shapes: Path, tmp_path: Path) -> None:
    run = replace(build(shapes, tmp_path), evaluate=counting([]))
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    fit(run, resume=False)
    after = run.model.state_dict()
    frozen = {name for name, p in run.model.named_parameters() if not p.requires_grad}
    frozen |= {name for name in after if name.startswith("backbone.") and "running" in name}
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert not changed & frozen
    # A bias of a level that no box is pooled from has no gradient.
    learning = {n for n, p in run.model.named_parameters() if p.requires_grad and p.dim() > 1}
    assert changed >= learning


def test_on_a_cpu_the_network_is_made_faster_to_train(shapes: Path, tmp_path: Path) -> None:
    run = replace(build(shapes, tmp_path, "optim.epochs=1"), evaluate=counting([]))
    fit(run, resume=False)
    assert isinstance(run.model.backbone.first_stage, FrozenStage)


def test_stored_weights_say_what_they_are(shapes: Path, tmp_path: Path) -> None:
    run = replace(build(shapes, tmp_path), evaluate=counting([]))
    fit(run, resume=False)
    model, header = load_weights(tmp_path / WEIGHTS_FILE)
    assert header == run.header
    name = "stages.1.box_deltas.weight"
    assert torch.equal(model.get_parameter(name), run.model.get_parameter(name))


def test_the_last_epoch_is_always_measured(shapes: Path, tmp_path: Path) -> None:
    calls: list[int] = []
    run = build(shapes, tmp_path, "optim.evaluate_epochs=2")
    fit(replace(run, evaluate=counting(calls)), resume=False)
    assert [(line["step"], line["box/AP"]) for line in lines_of(tmp_path)] == [(4, 1), (6, 2)]


def test_a_finished_run_has_nothing_left_to_do(shapes: Path, tmp_path: Path) -> None:
    fit(replace(build(shapes, tmp_path), evaluate=counting([])), resume=False)
    before = weights_of(tmp_path)
    fit(replace(build(shapes, tmp_path), evaluate=counting([])), resume=True)
    assert all(torch.equal(t, before[name]) for name, t in weights_of(tmp_path).items())


def test_a_folder_that_holds_a_run_is_refused(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"of an earlier run")
    with pytest.raises(DataError, match="holds a run already; --resume goes on"):
        fit(build(shapes, tmp_path), resume=False)
    assert (tmp_path / STATE_FILE).read_bytes() == b"of an earlier run"


def test_a_state_that_does_not_fit_is_refused(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"of something else")
    with pytest.raises(WeightsError, match="cannot be resumed from"):
        fit(build(shapes, tmp_path), resume=True)


def test_a_folder_that_cannot_be_is_named(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=r"file/run: cannot be written to \(.*; choose another --out"
    ):
        fit(build(shapes, tmp_path / "file" / "run"), resume=False)


def test_a_loss_that_is_no_longer_finite_ends_the_run(shapes: Path, tmp_path: Path) -> None:
    overrides = ("optim.lr=1e30", "optim.warmup_steps=0", "optim.epochs=20")
    run = replace(build(shapes, tmp_path, *overrides), evaluate=counting([]))
    # The weights of the first step are as large as that; the next ten are skipped.
    with pytest.raises(QivisError, match=r"no longer finite, 10 steps in a row, .* image \d"):
        fit(run, resume=False)
    assert lines_of(tmp_path)[-1]["step"] == 10


def test_the_same_seed_gives_the_same_fifty_steps(shapes: Path, tmp_path: Path) -> None:
    overrides = ("optim.epochs=25", "optim.evaluate_epochs=25", "optim.checkpoint_steps=50")
    for name in ("one", "other"):
        run = build(shapes, tmp_path / name, *overrides, "model.mask_norm=batch")
        fit(replace(run, evaluate=counting([])), resume=False)
    one, other = (weights_of(tmp_path / name) for name in ("one", "other"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert lines_of(tmp_path / "one")[-1]["step"] == 50


def test_an_evaluation_that_a_kill_cut_short_is_made_up_for(shapes: Path, tmp_path: Path) -> None:
    # The last one, of step 6, which is saved by then.
    broken = replace(build(shapes, tmp_path), evaluate=interrupted_at(3))
    with pytest.raises(KeyboardInterrupt):
        fit(broken, resume=False)
    assert [line["step"] for line in lines_of(tmp_path)] == [2, 4]
    for _ in range(2):  # the second has nothing left to do
        fit(replace(build(shapes, tmp_path), evaluate=counting([])), resume=True)
        assert [line["step"] for line in lines_of(tmp_path)] == [2, 4, 6]
