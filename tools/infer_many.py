"""Tracked masks of many video clips, by several workers at a time; see --help. Needs Ray."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from qivis.command_line import INTERRUPTED, bear_any_name, say, whole_number
from qivis.errors import QivisError
from qivis.inference.arguments import command_parser, parse_with

NOTE = """
Clips that were begun go on, and those that are done are left alone, as with --resume; a run folder
has the name that the list of all clips gives it. Ray works on this machine, or on the cluster that
RAY_ADDRESS names, whose machines must see the clips and --out under the same paths.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do the clips of the command line; returns the exit code."""
    parser = command_parser("infer_many")
    parser.description = f"{parser.description}{NOTE}"
    parser.epilog = None
    parser.add_argument(
        "--workers",
        type=whole_number(1, 1024),
        default=2,
        metavar="N",
        help="clips that are done at the same time, each by a process (default: %(default)s)",
    )
    args = parse_with(parser, argv)
    bear_any_name()
    from qivis.inference.many import segment_many

    failed = False
    try:
        for outcome in segment_many(args, args.workers):
            if outcome.lines:
                say(outcome.lines.rstrip("\n"))
            sys.stderr.write(outcome.warnings)
            if outcome.complaint:
                failed = True
                print(f"infer_many: {outcome.complaint}", file=sys.stderr)
    except (QivisError, OSError) as error:
        failed = True
        print(f"infer_many: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("infer_many: interrupted; give the same command to go on", file=sys.stderr)
        return INTERRUPTED
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
