"""Tracked masks of video clips; see --help. The same as the command qivis-infer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from qivis.inference.command import main

if __name__ == "__main__":
    sys.exit(main())
