"""Measuring weights on an annotated set."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from qivis.config import ExperimentConfig, load_config
from qivis.data.coco import CocoImages
from qivis.engine.evaluate import (
    as_metrics,
    as_table,
    evaluate_images,
    evaluate_weights,
    find_results,
    protocol_predictor,
    score,
    write_metrics,
)
from qivis.errors import DataError, WeightsError
from qivis.evaluation.coco_map import FIGURES, CocoAp
from qivis.models.source import open_weights
from qivis.structures import Detections, Targets

CONFIG = Path(__file__).parents[2] / "configs" / "debug" / "tiny_shapes_image.yaml"
MEASURED = {
    "box": CocoAp(dict.fromkeys(FIGURES, 0.5) | {"APl": -1.0}, {"cat": 0.25, "sea lion": -1.0}),
    "mask": CocoAp(dict.fromkeys(FIGURES, 0.125), {"cat": 1.0, "sea lion": -1.0}),
}


@pytest.fixture(scope="module")
def config() -> ExperimentConfig:
    return load_config(CONFIG)


@pytest.fixture(scope="module")
def images(shapes: Path) -> CocoImages:
    return CocoImages(shapes / "val2017", shapes / "annotations" / "instances_val2017.json")


@dataclass
class Oracle:
    """Says of the images of a set, one after the other, what is annotated."""

    images: CocoImages
    asked: int = 0

    def __call__(self, pictures: Sequence[Tensor]) -> list[Detections]:
        (sample,) = self.images[self.asked]
        self.asked += 1
        assert torch.equal(pictures[0], sample.image)
        return [self._seen(sample.targets)]

    def _seen(self, targets: Targets) -> Detections:
        count = len(targets)
        return Detections(
            size=targets.size,
            boxes=targets.boxes,
            labels=targets.labels,
            scores=torch.linspace(0.9, 0.5, count),
            masks=targets.masks,
            embeddings=torch.zeros(count, 1),
        )


@pytest.mark.parametrize("class_names", [(), ("angular", "round")], ids=["ids with gaps", "merged"])
def test_who_says_what_is_annotated_has_an_ap_of_one(
    shapes: Path, class_names: tuple[str, ...]
) -> None:
    images = CocoImages(
        shapes / "val2017",
        shapes / "annotations" / "instances_val2017.json",
        class_names=class_names,
    )
    measured = evaluate_images(Oracle(images), images)  # type: ignore[arg-type]
    for ap in measured.values():
        assert ap.figures["AP"] == pytest.approx(1)
        assert set(ap.per_class) == set(images.categories.names)


def test_parts_that_were_looked_at_apart_give_the_same_figures_to_the_last_digit(
    tiny_weights: Path, images: CocoImages
) -> None:
    predictor = protocol_predictor(*open_weights(tiny_weights))
    count = len(images)
    parts = [find_results(predictor, images, range(i, count, 3)) for i in (2, 0, 1)]
    gathered = json.loads(json.dumps([result for part in parts for result in part]))
    assert score(images, gathered) == evaluate_images(predictor, images)
    assert {result["image_id"] for result in parts[1]} <= {
        images.image_id(index) for index in range(0, count, 3)
    }


def test_weights_are_measured_with_their_own_settings(
    tiny_weights: Path, config: ExperimentConfig, shapes: Path
) -> None:
    measured = evaluate_weights(str(tiny_weights), config, shapes, "cpu")
    assert measured is not None
    assert set(measured) == {"box", "mask"}
    assert 0 <= measured["box"].figures["AP"] < 0.5
    predictor = protocol_predictor(*open_weights(tiny_weights))
    assert (predictor.max_detections, predictor.score_threshold) == (8, 0)
    assert predictor.input.short_side == 64
    assert not predictor.model.training


def test_weights_for_other_classes_are_refused(
    tiny_weights: Path, config: ExperimentConfig, shapes: Path
) -> None:
    other = load_config(CONFIG, ["data.class_names=[round, angular]"])
    with pytest.raises(
        WeightsError,
        match=r"tiny\.safetensors: finds circle, square, triangle, but .* has round, angular; data",
    ):
        evaluate_weights(str(tiny_weights), other, shapes, "cpu")


def test_figures_are_in_percent_by_name() -> None:
    metrics = as_metrics(MEASURED)
    assert metrics["box/AP"] == 50
    assert metrics["mask/AP50"] == 12.5
    assert metrics["box/APl"] == -1
    assert metrics["box/AP/cat"] == 25
    assert metrics["mask/AP/sea lion"] == -1
    assert len(metrics) == 2 * (6 + 2)


def test_the_table_lists_every_class() -> None:
    assert as_table(MEASURED).splitlines() == [
        "               AP     AP50     AP75      APs      APm      APl",
        "box          50.0     50.0     50.0     50.0     50.0        -",
        "mask         12.5     12.5     12.5     12.5     12.5     12.5",
        "",
        "           box AP  mask AP",
        "cat          25.0    100.0",
        "sea lion        -        -",
    ]


def test_figures_are_written_as_json(tmp_path: Path) -> None:
    write_metrics(tmp_path / "new" / "figures.json", as_metrics(MEASURED))
    assert json.loads((tmp_path / "new" / "figures.json").read_text()) == as_metrics(MEASURED)


def test_figures_that_cannot_be_written_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"figures\.json: cannot be written \("):
        write_metrics(tmp_path / "file" / "figures.json", as_metrics(MEASURED))
