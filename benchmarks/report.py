"""Run the benchmarks one after the other and write what they print to `results.md`.

    python benchmarks/report.py [--clip CLIP]

It takes a quarter of an hour on 2 cores, which should have nothing else to do. A script that misses
its bar is marked, and the others go on. Memory of long clips and damaged videos take longer, and
are run by themselves: `streaming_memory.py`, `fuzz_video.py`.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.processor import described

FOLDER = Path(__file__).resolve().parent
DEMO = FOLDER.parent / "qivis" / "assets" / "demo.mp4"
SCRIPTS = (
    "network_speed.py",
    "training_step.py",
    "roi_align.py",
    "paste_rle.py",
    "tracker_update.py",
    "youtube_vis_ap.py",
)
OF_A_CLIP = ("clip_speed.py", "streaming_speed.py")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report; returns how many bars were missed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--clip", type=Path, default=DEMO, help="for the speed of whole runs")
    args = parser.parse_args(argv)
    commands = [[script] for script in SCRIPTS]
    commands += [[script, str(args.clip)] for script in OF_A_CLIP]
    if torch.cuda.is_available():
        commands.append(["gpu_speed.py"])
    capabilities = torch.backends.cpu.get_cpu_capability()
    parts = [
        "# Results\n\n"
        "Made by `make bench` (`benchmarks/report.py`); a rate is worth something beside the others"
        f" of its table only.\n\n{os.cpu_count()} cores of {_processor()} ({capabilities}), "
        f"Python {platform.python_version()}, torch {torch.__version__}.\n"
    ]
    missed = 0
    for script, *rest in commands:
        print(script, flush=True)
        command = [sys.executable, str(FOLDER / script), *rest]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        if finished.returncode not in (0, 1):
            print(finished.stderr, file=sys.stderr)
        missed += finished.returncode != 0
        verdict = "meets its bar" if finished.returncode == 0 else "**misses a bar**"
        shown = " ".join([script, *(Path(name).name for name in rest)])
        printed = finished.stdout.strip().replace(str(args.clip), args.clip.name)
        parts.append(f"## {shown}: {verdict}\n\n```\n{printed}\n```\n")
        (FOLDER / "results.md").write_text("\n".join(parts), encoding="utf-8")
    return missed


def _processor() -> str:
    """Its name and family, where Linux tells them."""
    known = described()
    name = known.get("model name", platform.processor() or "an unknown processor")
    return f"{name}, family {known['cpu family']}" if "cpu family" in known else name


if __name__ == "__main__":
    sys.exit(main())
