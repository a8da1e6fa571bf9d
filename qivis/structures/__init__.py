"""The values that travel through qivis, one type per stage of the pipeline.

`Targets` (annotated) -> `Detections` (seen) -> `TrackedDetections` (identified) -> `Track`
(over the whole video).
"""

from qivis.structures.categories import Categories, Category
from qivis.structures.clips import Batch, Clip, Frame, ImageBatch, Sample
from qivis.structures.detections import Detections, TrackedDetections
from qivis.structures.record import Record
from qivis.structures.targets import Targets
from qivis.structures.tracks import Rle, Track, TrackedClip, View

__all__ = [
    "Batch",
    "Categories",
    "Category",
    "Clip",
    "Detections",
    "Frame",
    "ImageBatch",
    "Record",
    "Rle",
    "Sample",
    "Targets",
    "Track",
    "TrackedClip",
    "TrackedDetections",
    "View",
]
