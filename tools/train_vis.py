"""Train QueryInst on videos: objects are found as in images, and recognised in other frames."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    from tools.train_image import parse_args, train

    args = parse_args(argv, "train_vis", str(__doc__), "configs/vis/nano_vis.yaml")
    from qivis.engine.vis_run import build_vis_run

    return train(args, "train_vis", build_vis_run)


if __name__ == "__main__":
    sys.exit(run_command(main, "train_vis"))
