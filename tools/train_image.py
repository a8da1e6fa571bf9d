"""Train QueryInst on images."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    args = parse_args(argv)
    from qivis.engine.fit import fit
    from qivis.engine.image_run import build_image_run
    from qivis.errors import QivisError

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run = build_image_run(
            args.config, args.set, args.data_root, args.out, args.device, args.init
        )
        fit(run, resume=args.resume)
    except QivisError as error:
        print(f"train_image: {error}", file=sys.stderr)
        return 2
    print(run.folder.resolve())
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="train_image", description=__doc__)
    parser.add_argument("config", type=Path, help="YAML file, such as configs/image/nano_coco.yaml")
    parser.add_argument("--data-root", type=Path, help="folder of the data set (default: config's)")
    parser.add_argument("--out", type=Path, help="folder to write to (default: runs/<config name>)")
    parser.add_argument(
        "--init", help="weights to start from: a name or a path (default: ImageNet)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="override a setting"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
