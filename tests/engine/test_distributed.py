"""Two ranks with a clip each learn what one learns from both clips."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from qivis.config import load_config
from qivis.data.loader import BatchOrder, training_loader
from qivis.engine.checkpoint import Trained
from qivis.engine.evaluate import as_metrics, evaluate_weights
from qivis.engine.image_run import build_image_run
from qivis.engine.optim import build_optimizer
from qivis.engine.ranks import current_shard, means_over_ranks, synchronised
from qivis.engine.step import Stepper
from qivis.engine.stopping import Stopping
from qivis.engine.vis_run import build_vis_run
from qivis.structures import Batch
from tests.ranks import run_code, run_ranks

CONFIGS = Path(__file__).parents[2] / "configs" / "debug"
STEPS = 3
CPU = torch.device("cpu")
CODE = """
import json
from tests.engine.test_distributed import in_float64, learn
in_float64()
answer.write_text(json.dumps([learn({kind!r}, Path({shapes!r}), {overrides!r})]))
"""


def in_float64() -> None:
    """Have this process compute in float64 wherever the network asks for float32."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]


def learn(kind: str, shapes: Path, overrides: list[str]) -> dict[str, object]:
    """The losses of a few steps of this process's rank, and the sum of each weight after them."""
    build = {"image": build_image_run, "vis": build_vis_run}[kind]
    config = CONFIGS / f"tiny_shapes_{kind}.yaml"
    run = build(config, ["optim.batch_size=2", *overrides], shapes, shapes, "cpu", None)
    optim, shard = run.config.optim, current_shard()
    run.training.double()
    trained = Trained(run.model, None, build_optimizer(run.model, optim))
    stepper = Stepper(synchronised(run.training, shard), trained, optim, CPU, shard.index)
    order = BatchOrder(run.clips.is_wide, optim, first_step=0, shard=shard)
    batches: Iterator[Batch] = iter(training_loader(run.clips, order, workers=0))
    losses = []
    for number in range(STEPS):
        step = stepper.step(batches, number, Stopping())
        figures = {name: float(loss) for name, loss in step.losses.items()}
        losses.append(means_over_ranks({**figures, "norm": float(step.norm)}, CPU))
    state = run.model.state_dict()
    return {"losses": losses, "weights": {n: float(t.double().sum()) for n, t in state.items()}}


def answers(folder: Path, code: str, count: int) -> list[dict[str, dict[str, float]]]:
    folder.mkdir()
    return [json.loads(answer)[0] for answer in run_code(code, folder, count)]


@pytest.mark.parametrize(
    ("kind", "overrides"),
    [
        ("image", ["model.mask_norm=batch"]),
        pytest.param("vis", [], marks=pytest.mark.slow),
        pytest.param("image", ["optim.batch_size=4", "optim.accumulate=2"], marks=pytest.mark.slow),
    ],
    ids=["batch norm", "clips", "accumulated"],
)
def test_two_ranks_learn_what_one_learns_from_the_same_batches(
    shapes: Path, tmp_path: Path, kind: str, overrides: list[str]
) -> None:
    code = CODE.format(kind=kind, shapes=str(shapes), overrides=overrides)
    (alone,) = answers(tmp_path / "one", code, 1)
    first, second = answers(tmp_path / "two", code, 2)
    assert first == second
    assert len(first["losses"]) == STEPS
    for expected, found in zip(alone["losses"], first["losses"], strict=True):
        assert found == pytest.approx(expected, rel=1e-11)
    assert first["weights"] == pytest.approx(alone["weights"], rel=1e-10, abs=1e-10)


def train_arguments(shapes: Path, *overrides: str) -> list[str]:
    """The command that trains the tiny network, but for its folder."""
    tool = CONFIGS.parents[1] / "tools" / "train_image.py"
    arguments = [str(tool), str(CONFIGS / "tiny_shapes_image.yaml"), "--data-root", str(shapes)]
    arguments += ["--device", "cpu"]
    return arguments + [part for override in overrides for part in ("--set", override)]


@pytest.mark.slow
def test_under_torchrun_ranks_see_together_what_one_process_sees(
    shapes: Path, tmp_path: Path
) -> None:
    # In float32 ranks round differently, and a training makes ten times more of it with every step
    # or two: after eight steps losses are percents apart. So hardly anything is learned here.
    arguments = train_arguments(shapes, "optim.epochs=10", "optim.lr=1e-7")
    losses = []
    for count in (1, 2):
        out = tmp_path / str(count)
        run_ranks([*arguments, "--out", str(out)], count)
        lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        losses += [line["loss"] for line in lines if "lr" in line]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.slow
def test_torchrun_trains_measures_and_writes_once(shapes: Path, tmp_path: Path) -> None:
    arguments = train_arguments(shapes, "optim.epochs=20", "optim.evaluate_epochs=9")
    printed, lines = [], []
    for count in (1, 2):
        out = tmp_path / str(count)
        done = run_ranks([*arguments, "--out", str(out)], count)
        printed.append(done.stdout.splitlines())
        text = (out / "metrics.jsonl").read_text()
        lines.append([json.loads(line) for line in text.splitlines()])
        names = {path.name for path in out.iterdir()} - {"tensorboard"}
        assert names == {"metrics.jsonl", "model.safetensors", "training_state.pt"}
    assert printed == [[str(tmp_path / "1")], [str(tmp_path / "2")]]
    # Eight pictures are measured, four by each rank; 18 epochs of two steps, and the end.
    steps = [(line["step"], "lr" in line) for line in lines[0]]
    assert steps == [(18, False), (20, True), (36, False), (40, True), (40, False)]
    assert [(line["step"], "lr" in line) for line in lines[1]] == steps
    measured = evaluate_weights(
        str(out / "model.safetensors"),
        load_config(CONFIGS / "tiny_shapes_image.yaml", []),
        shapes,
        "cpu",
    )
    rounded = {name: float(f"{value:.6g}") for name, value in as_metrics(measured).items()}
    assert lines[1][-1] == {"step": 40, **rounded}
