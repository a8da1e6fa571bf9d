"""Train QueryInst on images."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command
from qivis.config.arguments import add_overrides

if TYPE_CHECKING:
    from qivis.engine.fit import Run


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    args = parse_args(argv, "train_image", str(__doc__), "configs/image/nano_coco.yaml")
    from qivis.engine.image_run import build_image_run

    return train(args, "train_image", build_image_run)


def parse_args(
    argv: Sequence[str] | None, name: str, purpose: str, example: str
) -> argparse.Namespace:
    """The command line of a training command."""
    parser = argparse.ArgumentParser(prog=name, description=purpose)
    parser.add_argument("config", type=Path, help=f"YAML file, such as {example}")
    parser.add_argument(
        "--data-root", type=Path, help="folder of the data sets (default: config's)"
    )
    parser.add_argument("--out", type=Path, help="folder to write to (default: runs/<config name>)")
    parser.add_argument(
        "--init", help="weights to start from: a name or a path (default: ImageNet)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    add_overrides(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    return parser.parse_args(argv)


def train(args: argparse.Namespace, name: str, build_run: Callable[..., "Run"]) -> int:
    """Train what `build_run` puts together of the arguments; returns the exit code."""
    from qivis.engine.fit import fit
    from qivis.errors import QivisError
    from qivis.memory import keep_freed_memory

    is_first = os.environ.get("RANK", "0") == "0"  # of those that torchrun starts
    logging.basicConfig(level=logging.INFO if is_first else logging.ERROR, format="%(message)s")
    try:
        run = build_run(args.config, args.set, args.data_root, args.out, args.device, args.init)
        if run.device.type == "cpu":
            keep_freed_memory()
        fit(run, resume=args.resume)
    except (QivisError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    if is_first:
        print(run.folder.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, "train_image"))
