"""Pictures to the network's input."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qivis.config.schema import InputConfig
from qivis.ops.images import fit_size, normalize_and_pad, resize
from qivis.ops.upload import upload
from qivis.structures import ImageBatch


def prepare(images: Sequence[Tensor], config: InputConfig) -> ImageBatch:
    """B of (3, h, w) uint8 pictures of the right size to a normalised, padded batch."""
    tensor = normalize_and_pad(images, config.pixel_mean, config.pixel_std)
    sizes = tuple((image.shape[1], image.shape[2]) for image in images)
    grids = torch.tensor(sizes, dtype=tensor.dtype).flip(1)
    return ImageBatch(tensor, sizes, upload(grids, tensor.device))


def resize_for_test(images: Sequence[Tensor], config: InputConfig) -> list[Tensor]:
    """B of (3, H, W) uint8 pictures, each to the test size of its shape."""
    return [
        resize(
            image, fit_size((image.shape[1], image.shape[2]), config.short_side, config.long_side)
        )
        for image in images
    ]
