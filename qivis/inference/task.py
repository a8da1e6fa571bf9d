"""What a run depends on: made again from it, the results are the same."""

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from qivis.config import to_dict
from qivis.data.video import stats_of
from qivis.errors import ConfigError, DataError
from qivis.export.formats import check_formats
from qivis.files import exists
from qivis.inference.onnx_predictor import AnyPredictor, OnnxPredictor
from qivis.inference.run import Plan
from qivis.inference.runtime import load_for_runtime, with_short_side
from qivis.inference.summary import software_versions
from qivis.models.source import checksum_of
from qivis.structures import Categories
from qivis.wording import did_you_mean


def load_as_asked(args: Namespace) -> AnyPredictor:
    """The predictor of a command line, which settles how pictures are seen and tracked.

    Raises:
        WeightsError: if the weights or the device cannot be used.
        ConfigError: if the weights do not know a class, an export does not know any, or the
            runtime cannot do what is asked.
    """
    predictor = load_for_runtime(args)
    labels_of(args.classes or (), predictor.categories)
    try:
        check_formats(args.export, args.classes or predictor.categories.names)
    except DataError as error:
        raise ConfigError(f"--export: {error}") from error
    tracking, shape = predictor.tracking, predictor.input
    if args.score is not None:
        tracking = replace(tracking, birth_score=args.score)
    if args.imgsz is not None:
        shape = with_short_side(shape, args.imgsz)
    return replace(
        predictor,
        tracking=tracking,
        input=shape,
        score_threshold=min(tracking.keep_score, tracking.birth_score),
    )


def plan_of(args: Namespace, predictor: AnyPredictor) -> Plan:
    """What a command line asks for of each clip."""
    labels = labels_of(args.classes, predictor.categories) if args.classes else None
    return Plan(args.stride, args.seconds, labels, "overlay" in args.save, args.batch)


def task_of(source: str, args: Namespace, predictor: AnyPredictor) -> dict[str, Any]:
    """Everything that the results depend on, as JSON."""
    path, stats, weights = Path(source), stats_of(source), Path(args.weights)
    return {
        # A path, and a glob too, means other files when it is given in another folder.
        "source": str(path.absolute()) if stats else source,
        "bytes": sum(stat.st_size for stat in stats) if stats else None,
        "modified_ns": max((stat.st_mtime_ns for stat in stats), default=None),
        "weights": str(weights.absolute()) if exists(weights) else args.weights,
        "weights_sha256": checksum_of(args.weights),
        "classes": args.classes,
        "stride": args.stride,
        "seconds": args.seconds,
        "max_frames": args.max_frames,
        "decoder": args.decoder,
        "device": predictor.device.type,
        "runtime": "onnx" if isinstance(predictor, OnnxPredictor) else "torch",
        "precision": predictor.precision,
        "overlay": "overlay" in args.save,
        "input": to_dict(predictor.input),
        "tracking": to_dict(predictor.tracking),
        "versions": software_versions(),
    }


def labels_of(names: Iterable[str], categories: Categories) -> list[int]:
    """The class indices of names.

    Raises:
        ConfigError: if there is no class of a name.
    """
    known = categories.names
    for name in names:
        if name not in known:
            hint = f"{did_you_mean(name, known)} known: {', '.join(known)}".lstrip()
            raise ConfigError(f"--classes: these weights know no {name!r}; {hint}")
    return [known.index(name) for name in names]
