"""Moves of one annotated picture: pixels, boxes, masks and ignored regions go together."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import masks_to_boxes

from qivis.ops import images
from qivis.ops.boxes import clip_boxes, scale_boxes
from qivis.structures import Sample, Targets


def resize(sample: Sample, size: tuple[int, int]) -> Sample:
    """The sample on a grid of (H, W) `size`."""
    targets = sample.targets
    if size == targets.size:
        return sample
    masks = F.interpolate(targets.masks[:, None].to(torch.uint8), size=size)[:, 0].bool()
    return Sample(
        image=images.resize(sample.image, size),
        targets=replace(
            targets, size=size, masks=masks, boxes=scale_boxes(targets.boxes, targets.size, size)
        ),
        ignored=scale_boxes(sample.ignored, targets.size, size),
    )


def mirror(sample: Sample) -> Sample:
    """The sample with left and right exchanged."""
    targets = sample.targets
    return Sample(
        image=sample.image.flip(-1),
        targets=replace(
            targets, masks=targets.masks.flip(-1), boxes=_mirror_boxes(targets.boxes, targets.size)
        ),
        ignored=_mirror_boxes(sample.ignored, targets.size),
    )


def crop(sample: Sample, window: tuple[int, int, int, int]) -> Sample:
    """What lies in a window; objects whose box has no area there are left out.

    A mask may become empty while its box survives, as in the published training.

    Args:
        sample: to crop.
        window: x1 y1 x2 y2 in whole pixels, inside the picture.
    """
    x1, y1, x2, y2 = window
    size = (y2 - y1, x2 - x1)
    targets = sample.targets
    offset = targets.boxes.new_tensor([x1, y1, x1, y1])
    moved = replace(
        targets,
        size=size,
        masks=targets.masks[:, y1:y2, x1:x2],
        boxes=clip_boxes(targets.boxes - offset, size),
    )
    return Sample(
        image=sample.image[:, y1:y2, x1:x2],
        targets=moved[has_area(moved.boxes)],
        ignored=_with_area(clip_boxes(sample.ignored - offset, size)),
    )


def tighten(targets: Targets) -> Targets:
    """Boxes drawn anew around what is left of the masks; objects without any are left out."""
    targets = targets[targets.masks.flatten(1).any(dim=1)]
    tight = masks_to_boxes(targets.masks).float() if len(targets) else targets.boxes
    # masks_to_boxes names the last pixel, a box ends at that pixel's far border.
    return replace(targets, boxes=tight + tight.new_tensor([0.0, 0.0, 1.0, 1.0]))


def paste(sample: Sample, other: Sample, rows: Tensor, offset: tuple[int, int]) -> Sample:
    """Put objects of another picture over this one.

    Args:
        sample: what is below.
        other: where the objects are from.
        rows: (P,) int64, which objects of `other`.
        offset: x y in pixels, where the other picture's corner lands; what falls outside is lost.

    Returns:
        The picture with the objects on top; what they hide is cut from the masks below. Their ids
        become negative: they are no objects of this video, whatever the numbers say.
    """
    chosen = other.targets[rows]
    size = sample.targets.size
    masks = _shift(chosen.masks, offset, size)
    pixels = _shift(other.image, offset, size)
    covered = masks.any(dim=0)
    below = sample.targets
    targets = Targets(
        size=size,
        boxes=torch.cat([below.boxes, chosen.boxes]),
        labels=torch.cat([below.labels, chosen.labels]),
        masks=torch.cat([below.masks & ~covered, _visible(masks)]),
        ids=torch.cat([below.ids, -1 - chosen.ids]),
    )
    return Sample(torch.where(covered, pixels, sample.image), tighten(targets), sample.ignored)


def has_area(boxes: Tensor) -> Tensor:
    """(N, 4) boxes to (N,) bool."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def _mirror_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([size[1] - x2, y1, size[1] - x1, y2], dim=-1)


def _with_area(boxes: Tensor) -> Tensor:
    return boxes[has_area(boxes)]


def _shift(layers: Tensor, offset: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(C, H, W) moved by x y onto an empty grid of `size`."""
    x, y = offset
    height, width = layers.shape[-2:]
    moved = layers.new_zeros((len(layers), *size))
    top, left = max(0, y), max(0, x)
    bottom, right = min(size[0], y + height), min(size[1], x + width)
    if bottom > top and right > left:
        moved[:, top:bottom, left:right] = layers[:, top - y : bottom - y, left - x : right - x]
    return moved


def _visible(masks: Tensor) -> Tensor:
    """(P, H, W) masks pasted one over the other: the first lies on top."""
    above = masks.int().cumsum(dim=0) - masks.int()
    return masks & (above == 0)
