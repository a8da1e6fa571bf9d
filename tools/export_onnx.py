"""Turn weights into one ONNX graph: pictures in, the best K objects of each with masks out.

`qivis-infer clip.mp4 --weights OUT.onnx` runs it; the file needs no other beside it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command

MOST_DETECTIONS = 50  # as many as the weights themselves are asked for


def main(argv: Sequence[str] | None = None) -> int:
    """Export what the command line names; returns the exit code."""
    args = parse_args(argv)
    from qivis.errors import DataError, QivisError
    from qivis.files import make_writable
    from qivis.models.onnx_export import default_size, export_onnx
    from qivis.models.source import open_weights

    try:
        make_writable(args.out.parent)  # nobody wants to hear it after the work
        if args.out.is_dir():
            raise DataError(f"{args.out}: is a folder; name the file to write")
        model, header = open_weights(args.weights)
        model.drop_training_heads()
        size = tuple(args.size) if args.size else default_size(header.input)
        export_onnx(args.out, model.eval(), header, size, args.detections)
    except (QivisError, OSError) as error:
        print(f"export_onnx: {error}", file=sys.stderr)
        return 2
    print(args.out.resolve())
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="export_onnx", description=__doc__)
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help="`default`, the name of published weights, or a weights file",
    )
    parser.add_argument("out", metavar="OUT.onnx", type=Path)
    parser.add_argument(
        "--size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="of the pictures that the network will see, multiples of 32 (default: what pictures "
        "of 16:9 have with these weights); others are made to fit into it",
    )
    parser.add_argument(
        "--detections",
        type=int,
        default=MOST_DETECTIONS,
        metavar="K",
        help="found in a picture; each costs time, seen or not (default: %(default)s)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_command(main, "export_onnx"))
