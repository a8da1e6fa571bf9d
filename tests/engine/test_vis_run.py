"""A training on videos put together from a config."""

from pathlib import Path

import pytest
import torch

from qivis.data.loader import SampleKey, collate
from qivis.engine.vis_run import build_vis_run
from qivis.errors import ConfigError, DataError, QivisError
from qivis.models.source import open_weights

DEBUG = Path(__file__).parents[2] / "configs" / "debug"
CONFIG = DEBUG / "tiny_shapes_vis.yaml"


def test_everything_fits_together(shapes: Path, tmp_path: Path, tiny_weights: Path) -> None:
    run = build_vis_run(CONFIG, [], shapes, tmp_path, "cpu", str(tiny_weights))
    assert run.header.categories.names == ("circle", "square", "triangle")
    assert run.header.model.association == "mlp"
    assert run.header.tracking.association == "embedding"
    assert run.folder == tmp_path
    stored, _ = open_weights(tiny_weights)
    assert torch.equal(run.model.fpn.lateral[0].weight, stored.fpn.lateral[0].weight)
    # Videos and, in half number, pictures; the last ones are pictures that move.
    first, last = (run.clips[SampleKey(0, index)] for index in (0, len(run.clips) - 1))
    losses = run.training(collate([first, last]))
    assert {"stage1/mask", "association/contrastive", "association/cosine"} <= losses.keys()


def test_association_alone_can_be_learned(shapes: Path, tiny_weights: Path) -> None:
    override = ["optim.learn=association"]
    run = build_vis_run(CONFIG, override, shapes, None, "cpu", str(tiny_weights))
    learned = {name for name, p in run.model.named_parameters() if p.requires_grad}
    assert learned == {n for n, _ in run.model.named_parameters() if n.startswith("association.")}


def test_the_evaluation_measures_tracks(shapes: Path, tiny_weights: Path) -> None:
    run = build_vis_run(CONFIG, [], shapes, None, "cpu", str(tiny_weights))
    metrics = run.evaluate(run.model)
    assert {"AP", "AP50", "AR10", "AP/square"} <= metrics.keys()
    assert all(-1 <= value <= 100 for value in metrics.values())


@pytest.mark.parametrize(
    ("config", "override", "error", "words"),
    [
        ("tiny_shapes_vis", "model.association=none", ConfigError, "nothing to learn from videos"),
        ("tiny_shapes_vis", "clip.length=1", ConfigError, "clip.length is 1, expected 2"),
        ("tiny_shapes_vis", "optim.learn=association", ConfigError, "--init"),
        ("tiny_shapes_image", "model.association=mlp", DataError, "holds images, not videos"),
    ],
    ids=["no association", "single frames", "a detector that knows nothing", "image config"],
)
def test_what_makes_no_sense_is_refused(
    shapes: Path, config: str, override: str, error: type[QivisError], words: str
) -> None:
    with pytest.raises(error, match=words):
        build_vis_run(DEBUG / f"{config}.yaml", [override], shapes, None, "cpu", None)
