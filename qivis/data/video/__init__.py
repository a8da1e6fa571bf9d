"""Video in: whatever holds pictures in time order becomes a stream of `Frame`s."""

from qivis.data.video.file import Decoder
from qivis.data.video.live import EndedStream, is_live
from qivis.data.video.open import comes_live, expand_source, files_of, open_video, stats_of
from qivis.data.video.source import FrameSource, VideoInfo

__all__ = [
    "Decoder",
    "EndedStream",
    "FrameSource",
    "VideoInfo",
    "comes_live",
    "expand_source",
    "files_of",
    "is_live",
    "open_video",
    "stats_of",
]
