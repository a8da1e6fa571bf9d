"""The mean of a network's weights before and after it has learned something else."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command, share


def main(argv: Sequence[str] | None = None) -> int:
    """Average what the command line names; returns the exit code."""
    args = parse_args(argv)
    import torch

    from qivis.errors import QivisError
    from qivis.models.average import average_weights

    dtype = torch.float16 if args.half else torch.float32
    try:
        average_weights(args.before, args.after, args.out, args.share, dtype)
    except QivisError as error:
        print(f"average_weights: {error}", file=sys.stderr)
        return 2
    print(args.out.resolve())
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="average_weights", description=__doc__)
    parser.add_argument("before", metavar="BEFORE.safetensors", type=Path)
    parser.add_argument("after", metavar="AFTER.safetensors", type=Path)
    parser.add_argument("out", metavar="OUT.safetensors", type=Path)
    parser.add_argument(
        "--share",
        type=share,
        default=0.5,
        help="of AFTER in the mean (default: %(default)s); the association head is AFTER's",
    )
    parser.add_argument("--half", action="store_true", help="write float16, half the size")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main, "average_weights"))
