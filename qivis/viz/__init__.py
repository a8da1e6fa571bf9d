"""Pictures out: tracked objects drawn on their frames, frames written as a video."""

from qivis.viz.overlay import draw
from qivis.viz.palette import color
from qivis.viz.supervision import to_supervision
from qivis.viz.writer import VideoWriter

__all__ = ["VideoWriter", "color", "draw", "to_supervision"]
