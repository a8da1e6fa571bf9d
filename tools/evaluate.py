"""How good weights are on a config's validation set.

Images: box and mask AP by the official COCO protocol; of Cityscapes, AP and AP50 by its scripts.
Videos: the 12 official figures of YouTube-VIS, a bootstrap interval of AP, HOTA, IDF1 and ID
switches.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command
from qivis.config.arguments import add_overrides
from qivis.shards import shard_argument

if TYPE_CHECKING:
    from qivis.config import ExperimentConfig
    from qivis.engine.parts import Part
    from qivis.inference.predictor import Precision

Measure = Callable[..., tuple[str, Mapping[str, float]] | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says; returns the exit code."""
    args = parse_args(argv)
    from qivis.config import load_config
    from qivis.engine.evaluate import write_metrics
    from qivis.errors import QivisError

    try:
        config = load_config(args.config, args.set)
        root = args.data_root or Path(config.data.root)
        kind = config.data.val.kind
        part = own_part(args)
        check_kind(kind, args.out, part)
        check_metrics(args.metrics)
        measures: Mapping[str, Measure] = {
            "images": partial(measure_images, part=part),
            "videos": partial(measure_videos, part=part),
            "cityscapes": partial(measure_cityscapes, out=args.out),
        }
        figures = measures[kind](args.weights, config, root, args.device, args.optimized)
        if figures is None:
            print("this part is done; the process that ends last prints the figures")
            return 0
        table, metrics = figures
        print(table)
        if args.metrics:
            write_metrics(args.metrics, metrics)
    except QivisError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def check_kind(kind: str, out: Path | None, part: "Part | None") -> None:
    """Check that what is asked for goes with the kind of the validation set."""
    from qivis.errors import ConfigError

    if out and kind != "cityscapes":
        raise ConfigError(f"--out: result files are of Cityscapes; data.val holds {kind}")
    if part and kind == "cityscapes":
        raise ConfigError(
            "--shard: Cityscapes is measured by one process, for its scripts compare files; leave "
            "--shard and --parts out"
        )


def check_metrics(path: Path | None) -> None:
    """Check that the figures can be written before anything is measured."""
    from qivis.errors import DataError
    from qivis.files import make_writable

    if path is None:
        return
    try:
        make_writable(path.parent)
    except OSError as error:
        raise DataError(f"--metrics {path}: cannot be written ({error.strerror})") from error
    if path.is_dir():
        raise DataError(f"--metrics {path}: is a folder; name a file")


def own_part(args: argparse.Namespace) -> "Part | None":
    """What this process looks at; None for everything."""
    from qivis.engine.parts import Part
    from qivis.errors import ConfigError
    from qivis.shards import own_shard

    shard = own_shard(args.shard)
    if (shard is None) != (args.parts is None):
        raise ConfigError(
            "many processes need both --parts, a folder that all of them see, and --shard I/N or "
            f"torchrun; got --parts {args.parts} and shard {shard}"
        )
    return None if shard is None else Part(shard, args.parts)


def measure_images(
    weights: str,
    config: "ExperimentConfig",
    root: Path,
    device: str,
    precision: "Precision | None",
    part: "Part | None",
) -> tuple[str, Mapping[str, float]] | None:
    """The figures on images, to read and by name; None while parts are missing."""
    from qivis.engine.evaluate import as_metrics, as_table, evaluate_weights

    measured = evaluate_weights(weights, config, root, device, precision, part)
    return (as_table(measured), as_metrics(measured)) if measured else None


def measure_cityscapes(
    weights: str,
    config: "ExperimentConfig",
    root: Path,
    device: str,
    precision: "Precision | None",
    out: Path | None,
) -> tuple[str, Mapping[str, float]]:
    """The figures on Cityscapes, to read and by name."""
    from qivis.engine.evaluate_cityscapes import as_metrics, as_table, evaluate_street_weights

    measured = evaluate_street_weights(weights, config, root, device, precision, out)
    return as_table(measured), as_metrics(measured)


def measure_videos(
    weights: str,
    config: "ExperimentConfig",
    root: Path,
    device: str,
    precision: "Precision | None",
    part: "Part | None",
) -> tuple[str, Mapping[str, float]] | None:
    """The figures on videos, to read and by name; None while parts are missing."""
    from qivis.engine.evaluate_videos import as_metrics, as_table, evaluate_video_weights

    figures = evaluate_video_weights(weights, config, root, device, precision, part)
    return (as_table(figures), as_metrics(figures)) if figures else None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument(
        "config",
        type=Path,
        help="YAML file, such as configs/image/nano_coco.yaml; data.val.kind says whether images, "
        "Cityscapes or videos are measured on, and for videos `tracking` how detections become "
        "tracks",
    )
    parser.add_argument(
        "--weights",
        default="default",
        metavar="NAME|PATH",
        help="a weights file, the name of published weights (downloaded on first use), or "
        "`default` for the model that comes with the package",
    )
    parser.add_argument("--data-root", type=Path, help="folder of the data set (default: config's)")
    parser.add_argument(
        "--metrics", type=Path, metavar="FILE.json", help="write the figures there, in percent"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="a new folder for the result files of Cityscapes, as its server takes them",
    )
    add_overrides(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    parser.add_argument(
        "--optimized",
        choices=("float32", "bfloat16"),
        help="measure the optimized network, as qivis-infer runs it, in this precision (default: "
        "the plain one, which is what was trained)",
    )
    parser.add_argument(
        "--shard",
        type=shard_argument,
        metavar="I/N",
        help="look at every Nth image or video only, from position I on (0 <= I < N); by default "
        "what torchrun says (RANK, WORLD_SIZE), else all",
    )
    parser.add_argument(
        "--parts",
        type=Path,
        metavar="DIR",
        help="with shards: where each keeps what it found; the one that finds all parts there "
        "prints the figures, and what is there already is not done again",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main, "evaluate"))
