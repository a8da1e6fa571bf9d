"""Look data sets through before training: figures, faults, duplicates, leaks from train to val.

Prints tables and writes a page with sample pictures and their masks. Exit code 2 if anything is
wrong: pictures that are missing, damaged or of another size than annotated, annotations that
cannot be used, the same picture twice, or in train and val.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command

if TYPE_CHECKING:
    from qivis.config.schema import DataConfig
    from qivis.data.contents import NamedSet


def main(argv: Sequence[str] | None = None) -> int:
    """Look through what the command line names; returns the exit code."""
    args = parse_args(argv)
    from qivis.engine.check_data import as_list, as_text, check_data
    from qivis.errors import QivisError

    name = args.data.resolve().stem
    page = args.out or Path("runs") / f"{name}-data" / "report.html"
    try:
        sets, config, root = find_sets(args)
        check = check_data(sets, config, root, name, page)
    except QivisError as error:
        print(f"check_data: {error}", file=sys.stderr)
        return 2
    print(as_text(check))
    if check.faults:
        print(f"check_data: {as_list(check.faults)}", file=sys.stderr)
    print(page.resolve())
    return 2 if check.faults else 0


def find_sets(args: argparse.Namespace) -> "tuple[list[NamedSet], DataConfig, Path]":
    """The sets, what training does with them, and the data root."""
    from qivis.config import load_config
    from qivis.config.schema import DataConfig
    from qivis.data.layouts import set_of_file, sets_in, sets_of_config
    from qivis.errors import ConfigError

    is_config, is_file = args.data.suffix in {".yaml", ".yml"}, args.data.suffix == ".json"
    if (args.data_root or args.set) and not is_config:
        raise ConfigError(f"--data-root and --set go with a config (.yaml); got {args.data}")
    if args.images and not is_file:
        raise ConfigError(f"--images goes with an annotation file (.json); got {args.data}")
    if is_config:
        config = load_config(args.data, args.set).data
        return sets_of_config(config), config, args.data_root or Path(config.root)
    if is_file:
        return set_of_file(args.data, args.images or args.data.parent), DataConfig(), Path()
    return sets_in(args.data), DataConfig(), args.data


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="check_data", description=__doc__)
    parser.add_argument(
        "data",
        type=Path,
        help="a config (configs/image/nano_coco.yaml: its train and val sets), or the folder of a "
        "data set in its published layout (datasets/README.md), or an annotation file (.json)",
    )
    parser.add_argument(
        "--data-root", type=Path, help="of a config: folder of the data sets (default: config's)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="of a config: override"
    )
    parser.add_argument(
        "--images",
        type=Path,
        help="of an annotation file: folder of its pictures (default: where the file is)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE.html",
        help="the page to write (default: runs/NAME-data/report.html)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # what the readers warn of is among the faults
    sys.exit(run_command(main, "check_data"))
