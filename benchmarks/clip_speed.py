"""How many frames a second `qivis-infer` does, from the file to the finished results.

    python benchmarks/clip_speed.py CLIP [--repeats 7] [--precision auto]

The command is run as a user runs it, in a process of its own; the time is that of the run in its
`summary.json`, without loading libraries and weights. The last run is profiled.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "tools" / "infer_video.py"
BAR = 15.0  # frames a second on 2 cores


def main(argv: Sequence[str] | None = None) -> int:
    """Print the rates; returns 1 where the median is below the bar."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--precision", default="auto")
    args = parser.parse_args(argv)
    command = [sys.executable, str(TOOL), str(args.clip), "--precision", args.precision]
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(args.repeats):
            run = [*command, "--out", folder, "--name", str(repeat)]
            if repeat == args.repeats - 1:
                run.append("--profile")
            finished = subprocess.run(run, check=True, capture_output=True, text=True)
            summary = json.loads((Path(folder) / str(repeat) / "summary.json").read_text())
            rates.append(summary["frames"] / summary["run_seconds"])
    median = statistics.median(rates)
    print(f"{summary['width']} x {summary['height']}, {summary['frames']} frames")
    print(f"median {median:.1f} fps of {len(rates)}, from {min(rates):.1f} to {max(rates):.1f}\n")
    print(finished.stdout.rpartition(f"\n{folder}")[0])  # all but where the files were
    return int(median < BAR)


if __name__ == "__main__":
    sys.exit(main())
