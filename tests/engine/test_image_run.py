"""A training put together from a config."""

from pathlib import Path

import pytest
import torch

from qivis.engine.image_run import build_image_run
from qivis.errors import ConfigError, DataError, QivisError, WeightsError
from qivis.models.source import open_weights
from qivis.models.weights import save_weights

CONFIG = Path(__file__).parents[2] / "configs" / "debug" / "tiny_shapes_image.yaml"


def test_everything_fits_together(shapes: Path, tmp_path: Path) -> None:
    run = build_image_run(CONFIG, ["optim.epochs=3"], shapes, tmp_path, "cpu", None)
    assert run.config.optim.epochs == 3
    assert len(run.clips) == 6
    assert run.header.categories.names == ("circle", "square", "triangle")
    assert run.header.model == run.config.model
    assert run.folder == tmp_path


def test_runs_are_named_after_their_config(shapes: Path) -> None:
    run = build_image_run(CONFIG, [], shapes, None, "cpu", None)
    assert run.folder == Path("runs/tiny_shapes_image")


def test_the_seed_decides_the_first_weights(shapes: Path) -> None:
    one, same, other = (
        build_image_run(CONFIG, [f"optim.seed={seed}"], shapes, None, "cpu", None).model
        for seed in (1, 1, 2)
    )
    name = "stages.0.flatten.weight"
    assert torch.equal(one.get_parameter(name), same.get_parameter(name))
    assert not torch.equal(one.get_parameter(name), other.get_parameter(name))


def test_the_backbone_starts_from_imagenet(shapes: Path) -> None:
    one, other = (
        build_image_run(CONFIG, [f"optim.seed={seed}"], shapes, None, "cpu", None).model
        for seed in (1, 2)
    )
    name = "backbone.body._conv_stem.weight"
    assert torch.equal(one.get_parameter(name), other.get_parameter(name))


def test_stored_weights_can_be_the_start(shapes: Path, tmp_path: Path) -> None:
    run = build_image_run(CONFIG, [], shapes, None, "cpu", None)
    path = tmp_path / "start.safetensors"
    save_weights(path, run.model, run.header, torch.float32)
    again = build_image_run(CONFIG, ["optim.seed=5"], shapes, None, "cpu", str(path))
    expected = run.model.state_dict()
    assert all(torch.equal(t, expected[name]) for name, t in again.model.state_dict().items())


@pytest.mark.parametrize(
    "override",
    ["model.num_queries=9", "data.class_names=[circle, square]"],
    ids=["another network", "other classes"],
)
def test_weights_that_do_not_fit_the_config_are_refused(
    shapes: Path, tiny_weights: Path, override: str
) -> None:
    assert open_weights(tiny_weights)
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: cannot be trained on"):
        build_image_run(CONFIG, [override], shapes, None, "cpu", str(tiny_weights))


@pytest.mark.parametrize(
    ("config", "root", "device", "start", "error"),
    [
        (Path("gone.yaml"), None, "cpu", None, ConfigError),
        (CONFIG, Path("gone"), "cpu", None, DataError),
        (CONFIG, None, "toaster", None, WeightsError),
        (CONFIG, None, "cpu", "gone.safetensors", WeightsError),
    ],
    ids=["config", "data", "device", "weights"],
)
def test_what_is_missing_is_an_error_of_its_kind(
    shapes: Path,
    config: Path,
    root: Path | None,
    device: str,
    start: str | None,
    error: type[QivisError],
) -> None:
    with pytest.raises(error):
        build_image_run(config, [], root or shapes, None, device, start)
