"""Pictures on their way to the model: decoded, annotated, batched."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from qivis.ops.shapes import check_shapes
from qivis.structures.record import moved
from qivis.structures.targets import Targets


@dataclass(frozen=True)
class Frame:
    """One decoded picture of a video.

    image: (3, H, W) uint8 RGB.
    index: position in the video, from 0.
    seconds: presentation time from the start of the video.
    """

    image: Tensor
    index: int
    seconds: float

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.image.shape[-2], self.image.shape[-1]


@dataclass(frozen=True)
class Sample:
    """One annotated frame.

    image: (3, H, W) uint8 RGB.
    targets: its objects.
    ignored: (R, 4) float32, regions whose content is not annotated: nothing found there is wrong.
    """

    image: Tensor
    targets: Targets
    ignored: Tensor

    def __post_init__(self) -> None:
        check_shapes(
            image=(self.image, "3 h w"),
            masks=(self.targets.masks, "n h w"),
            ignored=(self.ignored, "r 4"),
        )


Clip = tuple[Sample, ...]
"""T >= 1 frames of one video in time order. An image is a clip of one frame."""


@dataclass(frozen=True)
class Batch:
    """Clips, flattened: frames i * T .. i * T + T - 1 are clip i.

    images: B tensors (3, h, w) uint8 RGB of their own sizes.
    targets, ignored: B entries, in step with `images`.
    clip_length: T.
    """

    images: tuple[Tensor, ...]
    targets: tuple[Targets, ...]
    ignored: tuple[Tensor, ...]
    clip_length: int

    def to(self, device: torch.device | str) -> Self:
        """The same batch with every tensor on `device`."""
        return type(self)(
            images=tuple(moved(image, device) for image in self.images),
            targets=tuple(targets.to(device) for targets in self.targets),
            ignored=tuple(moved(boxes, device) for boxes in self.ignored),
            clip_length=self.clip_length,
        )


@dataclass(frozen=True)
class ImageBatch:
    """Images as the network takes them.

    tensor: (B, 3, H, W) float32, normalised, then zero-padded right and below.
    sizes: B of (h, w), what each image covers of it.
    grids: (B, 2), the same as (w, h) in the type and on the device of `tensor`: a network that
        had to fetch them there would make the host wait.
    """

    tensor: Tensor
    sizes: tuple[tuple[int, int], ...]
    grids: Tensor
