"""Measuring on a tiny Cityscapes."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from qivis.config import ExperimentConfig, from_dict
from qivis.data.cityscapes import CityscapesImages
from qivis.engine.evaluate_cityscapes import (
    as_metrics,
    as_table,
    evaluate_street_weights,
    evaluate_streets,
    find_instances,
    score_instances,
)
from qivis.errors import DataError, WeightsError
from qivis.evaluation.cityscapes_ap import CityscapesAp, InstanceAp
from qivis.structures import Detections
from tests.streets import STREETS, make_streets

pytest.importorskip(
    "cityscapesscripts",
    reason="cityscapesscripts is not installed (pip install 'qivis[cityscapes]')",
)
MEASURED = CityscapesAp(
    InstanceAp(0.25, 0.5), {"rider": InstanceAp(0.25, 0.5), "bus": InstanceAp(-1, -1)}
)


@pytest.fixture
def images(tmp_path: Path) -> CityscapesImages:
    root = make_streets(tmp_path / "cityscapes", "val")
    return CityscapesImages(root / "leftImg8bit/val", root / "gtFine/val")


@dataclass
class Oracle:
    """Says of the pictures of a set, one after the other, what is annotated."""

    images: CityscapesImages
    asked: int = 0

    def __call__(self, pictures: list[Tensor]) -> list[Detections]:
        (sample,) = self.images[self.asked]
        self.asked += 1
        assert torch.equal(pictures[0], sample.image)
        targets, count = sample.targets, len(sample.targets)
        fields = (targets.boxes, targets.labels, torch.linspace(0.9, 0.5, count), targets.masks)
        return [Detections(targets.size, *fields, torch.zeros(count, 1))]


def test_who_says_what_is_annotated_has_an_ap_of_one(images: CityscapesImages) -> None:
    measured = evaluate_streets(Oracle(images), images)  # type: ignore[arg-type]
    assert as_metrics(measured)["mask/AP"] == pytest.approx(100)
    assert list(measured.per_class) == list(images.categories.names)


def test_pictures_may_be_looked_at_in_any_order(images: CityscapesImages) -> None:
    predictor = Oracle(images, asked=2)
    found = find_instances(predictor, images, [2])  # type: ignore[arg-type]
    predictor.asked = 0
    found += find_instances(predictor, images, [0, 1])  # type: ignore[arg-type]
    assert [name for name, _ in found] == [images.image_id(index) for index in (2, 0, 1)]
    assert score_instances(images, found).overall.ap == pytest.approx(1)


def test_result_files_can_be_kept(images: CityscapesImages, tmp_path: Path) -> None:
    out = tmp_path / "results"
    evaluate_streets(Oracle(images), images, out)  # type: ignore[arg-type]
    lists = {path.stem: path.read_text().splitlines() for path in out.glob("*.txt")}
    assert sorted(lists) == sorted(STREETS)
    assert [line.split()[1] for line in lists["aachen_000000_000019"]] == ["24", "26", "26"]


def test_classes_that_are_left_out_do_not_count(tmp_path: Path) -> None:
    root = make_streets(tmp_path, "val")
    images = CityscapesImages(
        root / "leftImg8bit/val", root / "gtFine/val", class_names=["rider", "car"]
    )
    measured = evaluate_streets(Oracle(images), images)  # type: ignore[arg-type]
    assert list(measured.per_class) == ["rider", "car"]
    assert measured.overall.ap == pytest.approx(1)


def config_of() -> ExperimentConfig:
    part = {"kind": "cityscapes", "images": "leftImg8bit/val", "annotations": "gtFine/val"}
    return from_dict(ExperimentConfig, {"data": {"train": [part], "val": part}}, "here")


def test_weights_for_other_classes_and_folders_that_are_there_are_refused(
    tiny_weights: Path, tmp_path: Path
) -> None:
    make_streets(tmp_path, "val")
    with pytest.raises(WeightsError, match=r"finds circle, .*but the data set has 8 classes"):
        evaluate_street_weights(str(tiny_weights), config_of(), tmp_path, "cpu")
    with pytest.raises(DataError, match="is there already"):
        evaluate_street_weights(str(tiny_weights), config_of(), tmp_path, "cpu", out=tmp_path)


def test_a_folder_that_cannot_be_written_is_named(images: CityscapesImages, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/results: cannot be written \("):
        evaluate_streets(Oracle(images), images, tmp_path / "file" / "results")  # type: ignore[arg-type]


def test_figures_are_in_percent_by_name() -> None:
    assert as_metrics(MEASURED) == {
        "mask/AP": 25,
        "mask/AP50": 50,
        "mask/AP/rider": 25,
        "mask/AP/bus": -1,
        "mask/AP50/rider": 50,
        "mask/AP50/bus": -1,
    }


def test_the_table_lists_every_class() -> None:
    assert as_table(MEASURED).splitlines() == [
        "                  AP     AP50",
        "all classes     25.0     50.0",
        "rider           25.0     50.0",
        "bus                -        -",
    ]
