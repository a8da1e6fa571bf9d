"""Measuring a model on an annotated set."""

from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from qivis.data.coco import CocoImages
from qivis.evaluation.coco_map import CocoAp, evaluate_coco
from qivis.export.coco_json import to_results
from qivis.inference.predictor import Predictor


def evaluate_images(predictor: Predictor, images: CocoImages) -> dict[str, CocoAp]:
    """Box and mask AP of a predictor, image by image.

    Args:
        predictor: with a score threshold of 0, as the protocol wants it.
        images: the annotated set; its labels mean the same as the predictor's.
    """
    results: list[dict[str, Any]] = []
    for index in tqdm(range(len(images)), desc="evaluate", leave=False):
        (sample,) = images[index]
        (detections,) = predictor([sample.image])
        results += to_results(images.image_id(index), detections, images.categories)
    return evaluate_coco(images.ground_truth(), results)


def as_metrics(measured: Mapping[str, CocoAp]) -> dict[str, float]:
    """Flat figures such as `mask/AP50` and `mask/AP/person`, in percent; -1 stays -1."""
    metrics: dict[str, float] = {}
    for kind, ap in measured.items():
        metrics |= {f"{kind}/{name}": _percent(value) for name, value in ap.figures.items()}
        metrics |= {f"{kind}/AP/{name}": _percent(value) for name, value in ap.per_class.items()}
    return metrics


def _percent(value: float) -> float:
    return value if value < 0 else 100 * value
