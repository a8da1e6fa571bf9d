"""Tracked objects as supervision's `Detections`, which its annotators, zones and counters take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qivis.errors import DataError
from qivis.ops.boxes import clip_boxes
from qivis.structures import TrackedDetections
from qivis.viz.names import names_of

if TYPE_CHECKING:
    from supervision import Detections


def to_supervision(tracked: TrackedDetections, names: Sequence[str] = ()) -> Detections:
    """The same objects in the same order; boxes end at the border of the frame.

    Args:
        tracked: N objects of a frame, on any device.
        names: of the K classes; they become `data["class_name"]`, if given.

    Raises:
        DataError: if supervision is not installed, or a class has no name.
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise DataError("supervision is not installed: pip install 'qivis[supervision]'") from error
    objects = tracked.to("cpu")
    called = names_of(objects.labels, names) if len(names) else []
    return Detections(
        xyxy=clip_boxes(objects.boxes, objects.size).numpy(),
        mask=objects.masks.numpy(),
        confidence=objects.scores.numpy(),
        class_id=objects.labels.numpy(),
        tracker_id=objects.track_ids.numpy(),
        data={"class_name": np.array(called, dtype=str)} if len(names) else {},
    )
