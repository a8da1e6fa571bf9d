"""Command line flags that change what a config file says."""

import argparse


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Give a command `--set` and `--strict`, both of which end in `args.set`.

    That list is what `load_config` takes as its overrides.
    """
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="override a setting"
    )
    parser.add_argument(
        "--strict",
        action="append_const",
        dest="set",
        const="data.strict=true",
        help="stop at the first entry of the annotations that cannot be used (default: leave it "
        "out, and say so)",
    )
