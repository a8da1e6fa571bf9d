"""Box and mask AP of weights on a config's validation set, by the official COCO protocol."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says; returns the exit code."""
    args = parse_args(argv)
    from qivis.config import load_config
    from qivis.engine.evaluate import as_metrics, as_table, evaluate_weights, write_metrics
    from qivis.errors import QivisError

    try:
        config = load_config(args.config, args.set)
        root = args.data_root or Path(config.data.root)
        measured = evaluate_weights(args.weights, config, root, args.device)
        print(as_table(measured))
        if args.metrics:
            write_metrics(args.metrics, as_metrics(measured))
    except QivisError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("config", type=Path, help="YAML file, such as configs/image/nano_coco.yaml")
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
        "--set", action="append", default=[], metavar="a.b=value", help="override a setting"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
