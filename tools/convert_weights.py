"""Turn a published QueryInst checkpoint (.pth of mmdetection), or qivis weights, into others."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Convert what the command line names; returns the exit code."""
    args = parse_args(argv)
    import torch

    from qivis.errors import QivisError
    from qivis.models.convert import convert

    dtype = torch.float16 if args.half else torch.float32
    try:
        convert(args.weights, args.out, inference_only=args.inference, dtype=dtype)
    except QivisError as error:
        print(f"convert_weights: {error}", file=sys.stderr)
        return 2
    print(args.out.resolve())
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="convert_weights", description=__doc__)
    parser.add_argument("weights", metavar="PUBLISHED.pth|WEIGHTS.safetensors", type=Path)
    parser.add_argument("out", metavar="OUT.safetensors", type=Path)
    parser.add_argument(
        "--inference",
        action="store_true",
        help="leave out the mask heads that only training needs (55 M of R-50's 173 M parameters)",
    )
    parser.add_argument("--half", action="store_true", help="write float16, half the size")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main, "convert_weights"))
