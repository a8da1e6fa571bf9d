"""Measuring a model on Cityscapes: its result files, and what the official scripts say of them."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from qivis.config import ExperimentConfig
from qivis.data.cityscapes import CityscapesImages
from qivis.data.sources import validation_cityscapes
from qivis.engine.evaluate import open_for
from qivis.errors import DataError
from qivis.evaluation.cityscapes_ap import (
    CityscapesAp,
    InstanceAp,
    evaluate_cityscapes,
    require_cityscapesscripts,
)
from qivis.export.cityscapes_files import Instance, write_picture
from qivis.files import atomic_folder
from qivis.inference.predictor import Precision, Predictor
from qivis.ops import rle

COLUMNS = ("AP", "AP50")

Found = tuple[str, list[Instance]]
"""What a picture is called, and what was found in it."""


def evaluate_street_weights(
    weights: str,
    config: ExperimentConfig,
    data_root: Path,
    device: str,
    precision: Precision | None = None,
    out: Path | None = None,
) -> CityscapesAp:
    """AP of stored weights on a config's validation set.

    Args:
        weights, config, data_root, device, precision: as `evaluate_weights` takes them.
        out: where result files go; by default they are not kept.

    Raises:
        QivisError: if data, weights or device cannot be used, the classes do not fit, or
            cityscapesscripts is not installed.
    """
    require_cityscapesscripts()
    if out is not None and out.exists():
        raise DataError(f"{out}: is there already; name a new folder for the result files")
    images = validation_cityscapes(config.data, data_root)
    return evaluate_streets(open_for(images.categories, weights, device, precision), images, out)


def evaluate_streets(
    predictor: Predictor, images: CityscapesImages, out: Path | None = None
) -> CityscapesAp:
    """AP of a predictor.

    Args:
        predictor: see `protocol_predictor`.
        images: the annotated set; its labels mean the same as the predictor's.
        out: where result files go, all or none; by default they are not kept.

    Raises:
        DataError: if they cannot be written.
    """
    return score_instances(images, find_instances(predictor, images, range(len(images))), out)


def find_instances(
    predictor: Predictor, images: CityscapesImages, positions: Sequence[int]
) -> list[Found]:
    """What a predictor finds in some pictures of a set.

    Args:
        predictor, images: as `evaluate_streets` takes them.
        positions: of the pictures, which are looked at in this order.
    """
    found: list[Found] = []
    for index in tqdm(positions, desc="evaluate", leave=False):
        (sample,) = images[index]
        (seen,) = predictor([sample.image])
        class_ids = [images.categories.entries[label].id for label in seen.labels.tolist()]
        instances = zip(class_ids, seen.scores.tolist(), rle.encode(seen.masks), strict=True)
        found.append((images.image_id(index), list(instances)))
    return found


def score_instances(
    images: CityscapesImages, found: Sequence[Found], out: Path | None = None
) -> CityscapesAp:
    """AP of results.

    Args:
        images: all of the annotated set.
        found: in all its pictures, in any order.
        out: as `evaluate_streets` takes it.

    Raises:
        DataError: if the files cannot be written.
    """
    if out is None:
        with tempfile.TemporaryDirectory() as scratch:
            return _score(images, found, Path(scratch))
    try:
        with atomic_folder(out) as partial:
            return _score(images, found, partial)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error


def as_metrics(measured: CityscapesAp) -> dict[str, float]:
    """Flat figures such as `mask/AP50` and `mask/AP50/person`, in percent.

    Figures of what has no object are -1.
    """
    metrics = {f"mask/{name}": value for name, value in _figures(measured.overall).items()}
    for name in COLUMNS:
        for label, ap in measured.per_class.items():
            metrics[f"mask/{name}/{label}"] = _figures(ap)[name]
    return metrics


def as_table(measured: CityscapesAp) -> str:
    """The figures in percent to read, class by class; `-` where there is no object."""
    rows = {"all classes": measured.overall, **measured.per_class}
    width = max(map(len, rows))
    lines = [" " * width + "".join(name.rjust(9) for name in COLUMNS)]
    for label, ap in rows.items():
        cells = ("-" if value < 0 else f"{value:.1f}" for value in _figures(ap).values())
        lines.append(label.ljust(width) + "".join(cell.rjust(9) for cell in cells))
    return "\n".join(lines)


def _score(images: CityscapesImages, found: Sequence[Found], folder: Path) -> CityscapesAp:
    for name, instances in found:
        write_picture(folder, name, instances)
    annotations = [images.annotation(index) for index in range(len(images))]
    return evaluate_cityscapes(annotations, folder, images.categories.names)


def _figures(ap: InstanceAp) -> Mapping[str, float]:
    values = (value if value < 0 else 100 * value for value in (ap.ap, ap.ap50))
    return dict(zip(COLUMNS, values, strict=True))
