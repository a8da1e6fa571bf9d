"""Box and mask AP by the official COCO protocol: the door to pycocotools' evaluation."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl")


@dataclass(frozen=True)
class CocoAp:
    """The figures of one kind of result, `box` or `mask`, in [0, 1]; -1 where there is no object.

    figures: AP, AP50, AP75, APs, APm, APl.
    per_class: AP by category name.
    """

    figures: Mapping[str, float]
    per_class: Mapping[str, float]


def evaluate_coco(
    ground_truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> dict[str, CocoAp]:
    """Compare results with annotations.

    Args:
        ground_truth: COCO json; it is not changed.
        results: entries with `image_id`, `category_id`, `score`, `bbox` (x y w h) and
            `segmentation` (RLE).

    Returns:
        `box` and `mask`.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        # pycocotools writes into what it is given, and takes a match with id 0 for none.
        annotations = [{**a, "id": i} for i, a in enumerate(ground_truth["annotations"], start=1)]
        truth = _index({**ground_truth, "annotations": annotations})
        return {
            "box": _evaluate(truth, [_without(r, "segmentation") for r in results], "bbox"),
            "mask": _evaluate(truth, [_without(r, "bbox") for r in results], "segm"),
        }


def _evaluate(truth: COCO, results: list[dict[str, Any]], kind: str) -> CocoAp:
    categories = truth.loadCats(truth.getCatIds())
    # pycocotools cannot load an empty list, though it can evaluate one.
    found = truth.loadRes(results) if results else _index({**truth.dataset, "annotations": []})
    evaluation = COCOeval(truth, found, kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    # IoU thresholds x recalls x categories x areas x numbers of detections.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return CocoAp(
        figures={name: float(evaluation.stats[i]) for i, name in enumerate(FIGURES)},
        per_class={c["name"]: _mean(precision[:, :, i]) for i, c in enumerate(categories)},
    )


def _index(content: dict[str, Any]) -> COCO:
    indexed = COCO()
    indexed.dataset = content
    indexed.createIndex()
    return indexed


def _mean(precision: Any) -> float:
    known = precision[precision > -1]
    return float(np.mean(known)) if known.size else -1.0


def _without(result: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != key}
