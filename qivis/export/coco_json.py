"""Detections in COCO's results format."""

from typing import Any

from qivis.ops import rle
from qivis.ops.boxes import clip_boxes, xyxy_to_xywh
from qivis.structures import Categories, Detections


def to_results(
    image_id: int, detections: Detections, categories: Categories
) -> list[dict[str, Any]]:
    """One entry per detection: box as [x, y, width, height] inside the image, mask as RLE."""
    boxes = xyxy_to_xywh(clip_boxes(detections.boxes, detections.size)).tolist()
    return [
        {
            "image_id": image_id,
            "category_id": categories.entries[label].id,
            "score": score,
            "bbox": box,
            "segmentation": mask,
        }
        for label, score, box, mask in zip(
            detections.labels.tolist(),
            detections.scores.tolist(),
            boxes,
            rle.encode(detections.masks),
            strict=True,
        )
    ]
