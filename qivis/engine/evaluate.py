"""Measuring a model on an annotated set."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from qivis.config import ExperimentConfig
from qivis.data.coco import CocoImages
from qivis.data.sources import validation_images
from qivis.engine.parts import Part, find_all, task_of
from qivis.errors import DataError, WeightsError
from qivis.evaluation.coco_map import FIGURES, CocoAp, evaluate_coco
from qivis.export.coco_json import to_results
from qivis.files import write_atomically
from qivis.inference.predictor import Precision, Predictor, optimized, pick_device
from qivis.models.queryinst import QueryInst
from qivis.models.source import open_weights
from qivis.models.weights import WeightsHeader
from qivis.structures import Categories


def evaluate_weights(
    weights: str,
    config: ExperimentConfig,
    data_root: Path,
    device: str,
    precision: Precision | None = None,
    part: Part | None = None,
) -> dict[str, CocoAp] | None:
    """Box and mask AP of stored weights on a config's validation set.

    Args:
        weights: as `open_weights` takes them; how pictures are resized, and how many objects are
            looked for, is theirs and not the config's.
        config: its data section is used.
        data_root: where the data sets are.
        device: as `pick_device` takes it.
        precision: of the optimized network; by default the plain one is measured.
        part: what this process looks at; by default everything.

    Returns:
        `box` and `mask`; None while other parts are missing.

    Raises:
        QivisError: if data, weights or device cannot be used, or the classes do not fit.
    """
    images = validation_images(config.data, data_root)
    predictor = open_for(images.categories, weights, device, precision)
    task = task_of(weights, config, data_root, device, precision) if part else {}
    results = find_all(partial(find_results, predictor, images), len(images), part, task)
    return None if results is None else score(images, results)


def open_for(
    categories: Categories, weights: str, device: str, precision: Precision | None
) -> Predictor:
    """Stored weights as the protocols want them.

    Args:
        categories: of the data set.
        weights, device, precision: as `evaluate_weights` takes them.

    Raises:
        WeightsError: if weights or device cannot be used, or the classes do not fit.
    """
    target = pick_device(device)
    model, header = open_weights(weights)
    check_classes(weights, header.categories, categories)
    model.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    predictor = protocol_predictor(model, header)
    return predictor if precision is None else optimized(predictor, precision)


def check_classes(weights: str, known: Categories, wanted: Categories) -> None:
    """Check that weights find what a data set has.

    Raises:
        WeightsError: if a label does not mean the same to both.
    """
    if known.names != wanted.names:
        raise WeightsError(
            f"{weights}: finds {_listed(known.names)}, but the data set has "
            f"{_listed(wanted.names)}; data.class_names of the config chooses them"
        )


def protocol_predictor(model: QueryInst, header: WeightsHeader) -> Predictor:
    """A predictor as the COCO protocol wants it: as many detections as queries, whatever score."""
    return Predictor(
        model=model.eval(),
        input=header.input,
        categories=header.categories,
        tracking=header.tracking,
        device=next(model.parameters()).device,
        score_threshold=0.0,
        max_detections=header.model.num_queries,
    )


def evaluate_images(predictor: Predictor, images: CocoImages) -> dict[str, CocoAp]:
    """Box and mask AP of a predictor, image by image.

    Args:
        predictor: with a score threshold of 0, as the protocol wants it.
        images: the annotated set; its labels mean the same as the predictor's.
    """
    return score(images, find_results(predictor, images, range(len(images))))


def find_results(
    predictor: Predictor, images: CocoImages, positions: Sequence[int]
) -> list[dict[str, Any]]:
    """What a predictor finds in some images of a set, as JSON in the official results format.

    Args:
        predictor, images: as `evaluate_images` takes them.
        positions: of the images, which are looked at in this order.
    """
    results: list[dict[str, Any]] = []
    for index in tqdm(positions, desc="evaluate", leave=False):
        (sample,) = images[index]
        (detections,) = predictor([sample.image])
        results += to_results(images.image_id(index), detections, images.categories)
    return results


def score(images: CocoImages, results: Sequence[Mapping[str, Any]]) -> dict[str, CocoAp]:
    """Box and mask AP of results.

    Args:
        images: all of the annotated set.
        results: of all its images, as `find_results` gives them. The figures do not depend on the
            order of the images, only on that of the results of each.
    """
    return evaluate_coco(images.ground_truth(), results)


def as_metrics(measured: Mapping[str, CocoAp]) -> dict[str, float]:
    """Flat figures such as `mask/AP50` and `mask/AP/person`, in percent; -1 stays -1."""
    metrics: dict[str, float] = {}
    for kind, ap in measured.items():
        metrics |= {f"{kind}/{name}": _percent(value) for name, value in ap.figures.items()}
        metrics |= {f"{kind}/AP/{name}": _percent(value) for name, value in ap.per_class.items()}
    return metrics


def write_metrics(path: Path, metrics: Mapping[str, float]) -> None:
    """Write flat figures as JSON.

    Raises:
        DataError: if the file cannot be written.
    """
    content = json.dumps(metrics, indent=1) + "\n"
    try:
        write_atomically(path, content.encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error


def as_table(measured: Mapping[str, CocoAp]) -> str:
    """The figures in percent to read, then the AP of every class; `-` where there is no object."""
    classes = next(iter(measured.values())).per_class
    width = max(map(len, classes), default=0)
    rows: list[tuple[str, ...]] = [("", *FIGURES)]
    rows += [(kind, *map(_cell, ap.figures.values())) for kind, ap in measured.items()]
    rows += [(), ("", *(f"{kind} AP" for kind in measured))]
    rows += [(name, *(_cell(ap.per_class[name]) for ap in measured.values())) for name in classes]
    return "\n".join(
        "".join(cell.ljust(width) if i == 0 else cell.rjust(9) for i, cell in enumerate(row))
        for row in rows
    )


def _cell(value: float) -> str:
    return "-" if value < 0 else f"{100 * value:.1f}"


def _percent(value: float) -> float:
    return value if value < 0 else 100 * value


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{len(names)} classes ({shown} ...)"
