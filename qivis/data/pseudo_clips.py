"""A picture becomes a clip: several views of it, as if a shaking camera had filmed it.

IDOL and SeqFormer learn association from such clips where videos are few, by random crops; CTVIS
also turns them. Whatever they do not show is black.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from qivis.data.geometry import has_area, tighten
from qivis.errors import DataError
from qivis.ops.boxes import clip_boxes
from qivis.structures import Categories, Clip, Sample

WINDOW_SHARES = (0.6, 1.0)  # sides of the clip over sides of the picture; IDOL: about 384..600 px
ZOOMS = (0.85, 1.15)  # of one frame against another
MAX_ANGLE = 15.0  # degrees; CTVIS


@dataclass(frozen=True)
class View:
    """What one frame shows of a picture.

    center: x y in pixels of the picture, what is in the middle of the frame.
    zoom: pixels of the frame to one of the picture.
    angle: degrees by which the content is turned clockwise.
    """

    center: tuple[float, float]
    zoom: float
    angle: float


def pseudo_clip(sample: Sample, length: int, rng: np.random.Generator) -> Clip:
    """T views of a picture, of one size.

    Objects keep their ids; each frame has those that it shows, with boxes around their masks.

    Args:
        sample: the picture.
        length: T.
        rng: every draw comes from it.
    """
    size, views = draw_views(sample.targets.size, length, rng)
    return tuple(show(sample, view, size) for view in views)


def draw_views(
    size: tuple[int, int], length: int, rng: np.random.Generator
) -> tuple[tuple[int, int], tuple[View, ...]]:
    """The size of a clip of a picture of (H, W) `size`, and T views."""
    share = rng.uniform(*WINDOW_SHARES)
    height, width = (max(1, round(side * share)) for side in size)
    views = []
    for _ in range(length):
        zoom = float(np.exp(rng.uniform(*np.log(ZOOMS))))
        # The window stays inside the picture, but for its turning and where it is too large.
        slack_x = max(0.0, size[1] - width / zoom) / 2
        slack_y = max(0.0, size[0] - height / zoom) / 2
        x = size[1] / 2 + rng.uniform(-slack_x, slack_x)
        y = size[0] / 2 + rng.uniform(-slack_y, slack_y)
        views.append(View((x, y), zoom, float(rng.uniform(-MAX_ANGLE, MAX_ANGLE))))
    return (height, width), tuple(views)


def show(sample: Sample, view: View, size: tuple[int, int]) -> Sample:
    """A view of a picture as a frame of (H, W) `size`; objects that it does not show are left out.

    Pixels are interpolated linearly, masks take the nearest pixel. Ignored regions become the
    upright boxes around what they were.
    """
    height, width = sample.targets.size
    x, y = _sources(view, size)  # each (h, w)
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], dim=-1)
    pixels = F.grid_sample(sample.image[None].float(), grid[None], align_corners=False)[0]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    columns = x.long().clamp(0, width - 1)
    rows = y.long().clamp(0, height - 1)
    moved = replace(
        sample.targets, size=size, masks=sample.targets.masks[:, rows, columns] & inside
    )
    return Sample(
        image=pixels.round().to(torch.uint8),
        targets=tighten(moved),
        ignored=_turned(sample.ignored, view, size),
    )


def label_map(source: Categories, target: Categories, ids: Mapping[int, int]) -> dict[int, int]:
    """Which label of other classes each label has.

    Args:
        source: K classes.
        target: the other classes.
        ids: category ids of `target` by category id of `source`, such as
            `vis_categories.COCO_TO_YOUTUBE_VIS_2019`.

    Raises:
        DataError: if `target` lacks a category of the map.
    """
    labels = {category.id: label for label, category in enumerate(target)}
    known = [(label, category) for label, category in enumerate(source) if category.id in ids]
    for _, category in known:
        if ids[category.id] not in labels:
            raise DataError(
                f"category {category.id} ({category.name}) is mapped to category "
                f"{ids[category.id]}, but there are only {sorted(labels)}; use the map made for "
                "this set"
            )
    return {label: labels[ids[category.id]] for label, category in known}


def relabel(sample: Sample, labels: Mapping[int, int]) -> Sample:
    """The sample with other labels; objects of classes that are not mapped are left out."""
    old = sample.targets.labels.tolist()
    kept = sample.targets[[row for row, label in enumerate(old) if label in labels]]
    new = kept.labels.new_tensor([labels[label] for label in kept.labels.tolist()])
    return replace(sample, targets=replace(kept, labels=new))


def _sources(view: View, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Places x and y, each (H, W): the spot in the picture that each pixel's centre shows."""
    height, width = size
    cos, sin = _cos_sin(view)
    down = (torch.arange(height) + 0.5 - height / 2)[:, None] / view.zoom
    right = (torch.arange(width) + 0.5 - width / 2)[None] / view.zoom
    return view.center[0] + cos * right + sin * down, view.center[1] - sin * right + cos * down


def _turned(boxes: Tensor, view: View, size: tuple[int, int]) -> Tensor:
    """(R, 4) boxes of the picture to the (S, 4) boxes around what a view shows of them."""
    cos, sin = _cos_sin(view)
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2) - boxes.new_tensor(view.center)
    turn = boxes.new_tensor([[cos, sin], [-sin, cos]]) * view.zoom
    middle = boxes.new_tensor([size[1] / 2, size[0] / 2])
    moved = corners @ turn + middle  # (R, 4, 2)
    upright = clip_boxes(torch.cat([moved.amin(dim=1), moved.amax(dim=1)], dim=1), size)
    return upright[has_area(upright)]


def _cos_sin(view: View) -> tuple[float, float]:
    radians = math.radians(view.angle)
    return math.cos(radians), math.sin(radians)
