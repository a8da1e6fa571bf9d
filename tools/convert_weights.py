#!/usr/bin/env python
"""Turn a published QueryInst checkpoint (.pth of mmdetection) into qivis weights (.safetensors)."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qivis.errors import QivisError


def main(argv: Sequence[str] | None = None) -> int:
    """Convert what the command line names.

    Returns:
        The exit code: 0 done, 2 the input is wrong.
    """
    args = _parse(argv)
    from qivis.models.convert import convert  # imports torch, which --help need not wait for

    try:
        convert(args.published, args.out, inference_only=args.inference)
    except QivisError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("published", metavar="PUBLISHED.pth", type=Path)
    parser.add_argument("out", metavar="OUT.safetensors", type=Path)
    parser.add_argument(
        "--inference",
        action="store_true",
        help="leave out the five mask heads that only training needs (55 M of 173 M parameters)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
