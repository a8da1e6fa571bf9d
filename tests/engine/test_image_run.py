"""A training put together from a config."""

from pathlib import Path

import pytest
import torch

from qivis.engine.image_run import build_image_run
from qivis.errors import ConfigError, DataError, QivisError, WeightsError
from qivis.models.source import open_weights

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


def test_stored_weights_can_be_the_start(shapes: Path, tiny_weights: Path) -> None:
    stored, _ = open_weights(tiny_weights)
    run = build_image_run(CONFIG, [], shapes, None, "cpu", str(tiny_weights))
    assert torch.equal(run.model.fpn.lateral[0].weight, stored.fpn.lateral[0].weight)


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
