"""QueryInst on images and video: instance masks that keep their identity over a clip.

predictor = qivis.load_predictor()
for frame, tracked in qivis.segment_video("clip.mp4", predictor):
    print(frame.index, tracked.track_ids, tracked.masks.shape)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qivis import viz
    from qivis.inference.predictor import load_predictor
    from qivis.inference.video import segment_video

__all__ = ["load_predictor", "segment_video", "viz"]

_HOMES = {
    "load_predictor": "qivis.inference.predictor",
    "segment_video": "qivis.inference.video",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: `qivis-infer --help` need not wait for torch."""
    if name == "viz":
        return import_module("qivis.viz")
    if name not in _HOMES:
        raise AttributeError(f"module 'qivis' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
