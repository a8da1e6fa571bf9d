"""Random changes of a training clip: of one geometry for all of its frames, of a colour for each.

The published recipe (multi-scale resize, DETR's crop), or scale jitter on a square canvas with
copy-paste (Ghiasi et al. 2021) for training on little data.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from qivis.config.schema import AugmentConfig
from qivis.data import geometry
from qivis.ops.images import fit_size
from qivis.structures import Clip, Sample

LEAST_SEEN_SHARE = 0.1  # an object cut or covered to less than this is left out
PASTED_SCALES = (0.4, 1.2)  # of pasted objects, on top of their own scale jitter


def augment(
    clip: Clip, config: AugmentConfig, rng: np.random.Generator, another: Callable[[], Clip]
) -> Clip:
    """A randomly changed clip.

    Args:
        clip: T frames of one size.
        config: what may happen.
        rng: every draw comes from it.
        another: gives a random other clip, to paste objects from.

    Returns:
        T frames of one size.
    """
    if rng.random() < config.flip_probability:
        clip = tuple(geometry.mirror(sample) for sample in clip)
    if config.canvas_side:
        clip = _jitter(clip, config, rng)
        if rng.random() < config.paste_probability:
            clip = _paste(clip, config, rng, another)
    else:
        clip = _published(clip, config, rng)
    return _recolor(clip, config.color_strength, rng)


def _published(clip: Clip, config: AugmentConfig, rng: np.random.Generator) -> Clip:
    """Multi-scale resize, after a crop where the recipe has one."""
    if rng.random() < config.crop_probability:
        clip = _resize(clip, int(rng.choice(config.crop_short_sides)), config.long_side)
        height, width = clip[0].targets.size
        low, high = config.crop_range
        side_y = int(rng.integers(min(height, low), min(height, high) + 1))
        side_x = int(rng.integers(min(width, low), min(width, high) + 1))
        clip = _window(clip, (side_y, side_x), rng)
    return _resize(clip, int(rng.choice(config.short_sides)), config.long_side)


def _jitter(clip: Clip, config: AugmentConfig, rng: np.random.Generator) -> Clip:
    """Scale by a random factor, then cut to the canvas."""
    side = config.canvas_side
    low, high = np.log(config.jitter_range)
    scale = float(np.exp(rng.uniform(low, high)))
    height, width = clip[0].targets.size
    fitted = side * scale / max(height, width)
    # Cutting first and resizing only what stays is the same picture for less work.
    window = min(height, round(side / fitted)), min(width, round(side / fitted))
    clip = _window(clip, window, rng)
    size = (
        min(side, max(1, round(window[0] * fitted))),
        min(side, max(1, round(window[1] * fitted))),
    )
    return tuple(_drop_slivers(geometry.resize(sample, size)) for sample in clip)


def _paste(
    clip: Clip, config: AugmentConfig, rng: np.random.Generator, another: Callable[[], Clip]
) -> Clip:
    """Paste a few objects of another clip's first frame over every frame."""
    smaller = replace(config, jitter_range=PASTED_SCALES)
    (other,) = _jitter(another()[:1], smaller, rng)
    if rng.random() < config.flip_probability:
        other = geometry.mirror(other)
    count = min(len(other.targets), int(rng.integers(1, config.paste_objects + 1)))
    rows = torch.from_numpy(rng.permutation(len(other.targets))[:count].copy())
    if not count:
        return clip
    height, width = clip[0].targets.size
    x1, y1, x2, y2 = other.targets.boxes[rows[0]].tolist()
    centre = rng.uniform(0, width), rng.uniform(0, height)
    offset = round(centre[0] - (x1 + x2) / 2), round(centre[1] - (y1 + y2) / 2)
    return tuple(_keep_seen(geometry.paste(sample, other, rows, offset), sample) for sample in clip)


def _keep_seen(pasted: Sample, before: Sample) -> Sample:
    """Leave out objects that the pasted ones have covered almost wholly."""
    areas = dict(
        zip(before.targets.ids.tolist(), before.targets.masks.sum((1, 2)).tolist(), strict=True)
    )
    left = pasted.targets.masks.sum((1, 2))
    full = left.new_tensor([areas.get(i, 0) for i in pasted.targets.ids.tolist()])
    return replace(pasted, targets=pasted.targets[left > LEAST_SEEN_SHARE * full])


def _drop_slivers(sample: Sample) -> Sample:
    """Tight boxes, without the objects of which the cut has left next to nothing."""
    targets = geometry.tighten(sample.targets)
    return replace(sample, targets=targets[targets.masks.sum((1, 2)) >= 16])


def _resize(clip: Clip, short_side: int, long_side: int) -> Clip:
    size = fit_size(clip[0].targets.size, short_side, long_side)
    return tuple(geometry.resize(sample, size) for sample in clip)


def _window(clip: Clip, size: tuple[int, int], rng: np.random.Generator) -> Clip:
    """Cut a window of (h, w) `size` at a random place."""
    height, width = clip[0].targets.size
    y = int(rng.integers(0, height - size[0] + 1))
    x = int(rng.integers(0, width - size[1] + 1))
    return tuple(geometry.crop(sample, (x, y, x + size[1], y + size[0])) for sample in clip)


def _recolor(clip: Clip, strength: float, rng: np.random.Generator) -> Clip:
    """Brightness, contrast and saturation within 1 +- 0.6 * strength, hue within 5 %."""
    if not strength:
        return clip
    return tuple(replace(s, image=_changed_color(s.image, strength, rng)) for s in clip)


def _changed_color(image: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    brightness, contrast, saturation = 1 + rng.uniform(-0.6, 0.6, size=3) * strength
    image = functional.adjust_brightness(image, float(brightness))
    image = functional.adjust_contrast(image, float(contrast))
    image = functional.adjust_saturation(image, float(saturation))
    recolored: Tensor = functional.adjust_hue(image, float(rng.uniform(-0.05, 0.05)) * strength)
    return recolored
