"""Pictures on their way into the network: resizing, normalising, padding."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from qivis.ops.upload import upload

PICTURE = "a tensor (3, H, W) of torch.uint8"


def is_picture(image: object) -> bool:
    """Whether something is what `PICTURE` says, with at least one pixel."""
    return (
        isinstance(image, Tensor)
        and image.dtype == torch.uint8
        and image.dim() == 3
        and len(image) == 3
        and image.numel() > 0
    )


def described(image: object) -> str:
    """What something that is no picture is, for people."""
    if image is None:
        return "none"
    if isinstance(image, Tensor):
        return f"{tuple(image.shape)} {image.dtype}"
    return type(image).__name__


def fit_size(size: tuple[int, int], short_side: int, long_side: int) -> tuple[int, int]:
    """The largest size of the same shape that exceeds neither bound.

    Args:
        size: (H, W) of the picture.
        short_side, long_side: bounds in pixels.

    Returns:
        (H, W), each at least 1; rounded as mmcv.rescale_size does.

    >>> fit_size((480, 640), 800, 1333)
    (800, 1067)
    >>> fit_size((720, 1280), 800, 1333)
    (750, 1333)
    """
    scale = min(long_side / max(size), short_side / min(size))
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize with half-pixel centres and no antialiasing, as OpenCV's INTER_LINEAR.

    The published weights were trained on pictures resized this way.

    Args:
        image: (3, H, W) uint8.
        size: (h, w) wanted.

    Returns:
        (3, h, w) uint8, on every device the same to the bit.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    if image.device.type == "cpu":
        return F.interpolate(image[None], size=size, mode="bilinear", align_corners=False)[0]
    return resize_axis(resize_axis(image, 2, size[1]), 1, size[0])  # PyTorch has it for floats only


def resize_axis(image: Tensor, axis: int, size: int) -> Tensor:
    """`resize` of one axis, in the whole numbers in which PyTorch does it on CPUs.

    There, weights are fixed-point numbers of 16 bits with as many places as the largest allows
    (ATen/native/cpu/UpSampleKernel.cpp: compute_index_ranges_int16_weights).

    Args:
        image: (3, H, W) uint8.
        axis: 1 or 2.
        size: wanted.
    """
    length = image.shape[axis]
    if length == size:
        return image
    centers = (torch.arange(size, dtype=torch.float64) + 0.5) * (length / size) - 0.5
    before = centers.floor().clamp(min=0)
    share = (centers - before).clamp(min=0)
    shares = torch.stack([1 - share, share])
    places = math.ceil(math.log2((2**15 - 0.5) / shares.max().item())) - 1
    weights = (shares * 2**places + 0.5).floor()
    after = (before + 1).clamp(max=length - 1)
    table = upload(torch.stack([before, after, *weights]).int(), image.device)
    shape = [size if axis == other else 1 for other in range(3)]
    total = torch.full((), 2 ** (places - 1), dtype=torch.int32, device=image.device)
    for at, weight in zip(table[:2], table[2:], strict=True):
        total = total + image.index_select(axis, at) * weight.view(shape)
    return (total >> places).to(torch.uint8)


def normalize_and_pad(
    images: Sequence[Tensor], mean: Sequence[float], std: Sequence[float], divisor: int = 32
) -> Tensor:
    """Normalise pictures and stack them, padded with zeros right and below.

    Args:
        images: B of (3, h, w) uint8 RGB.
        mean, std: per channel, on the 0..255 scale.
        divisor: what the padded sides are multiples of.

    Returns:
        (B, 3, H, W) float32 in channels_last memory order, which CPU convolutions prefer.
    """
    height, width = (
        -(-max(image.shape[axis] for image in images) // divisor) * divisor for axis in (1, 2)
    )
    batch = torch.empty(
        (len(images), 3, height, width),
        device=images[0].device,
        memory_format=torch.channels_last,
    ).zero_()
    offset, scale = (upload(torch.tensor(part), batch.device).view(3, 1, 1) for part in (mean, std))
    for row, image in zip(batch, images, strict=True):
        row[:, : image.shape[1], : image.shape[2]] = (image - offset) / scale
    return batch
