"""Gradients of depthwise convolutions, by oneDNN, whose wide kernels learn three columns at a time.

For the gradient of a depthwise kernel oneDNN has a fast way only where the kernel is three columns
wide and its padding at the sides at most one; others take up to fifteen times as long. So three
columns of a wider kernel at a time get their gradient, from the result's, moved to the side.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from qivis.ops.onednn import Geometry, convolution_gradients

_FAST = 3  # columns


class Depthwise(NamedTuple):
    """How a depthwise kernel is moved over a map; padding: above and below, left and right."""

    stride: int
    padding: tuple[int, int]

    def of_features(self, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the features.

        Args:
            gradient: (B, C, H', W'), of the result.
            features: (B, C, H, W).
            weight: (C, 1, K, K).
        """
        return self._gradients(gradient, features, weight, (True, False))[0]

    def of_kernel(self, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the kernel, whose values do not matter; arguments as of `of_features`.

        With a stride of 1 the kernel has 3 or 5 columns, and half as many are padded; with 2 it is
        one of `even_padding`.
        """
        if weight.shape[-1] == _FAST:
            return self._gradients(gradient, features, weight, (False, True))[1]
        if self.stride == 1:
            return self._of_five_columns(gradient, features, weight)
        return self._of_even_columns(gradient, features, weight)

    def _of_five_columns(self, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """Columns 0 to 2, then 2 to 4."""
        narrow = self._replace(padding=(self.padding[0], 1))
        kernel = weight[..., :_FAST].contiguous()
        # Results that are moved meet with the narrow kernel what they met with these columns.
        width = features.shape[3]
        left = narrow.of_kernel(_moved(gradient, -1, width), features, kernel)
        right = narrow.of_kernel(_moved(gradient, 1, width), features, kernel)
        # The results of the first column were moved out of the map; all that they met but zeros was
        # the map's first column, by the kernel's middle one.
        of_rim, at_rim, column = (
            tensor[..., :1].contiguous() for tensor in (gradient, features, weight)
        )
        lost = self._replace(padding=(self.padding[0], 0))
        left[..., -1:] += lost._gradients(of_rim, at_rim, column, (False, True))[1]
        return torch.cat([left, right[..., 1:]], dim=-1)

    def _of_even_columns(self, gradient: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """Three columns, then, from results moved by one, three from the last of those on."""
        high, wide = self.padding
        narrow = self._replace(padding=(high, 1))
        kernel = weight[..., :_FAST].contiguous()
        width = (features.shape[3] + 1) // 2  # of the narrow kernel's results
        near = narrow.of_kernel(_moved(gradient, 0, width), features, kernel)
        far = narrow.of_kernel(_moved(gradient, 1, width), features, kernel)
        columns = torch.cat([near, far[..., 1:]], dim=-1)
        first = wide - 1  # of the columns; before it are the zeros of `even_padding`, at the most
        found = torch.zeros_like(weight)
        found[..., first:] = columns[..., : weight.shape[-1] - first]
        return found

    def _gradients(
        self, gradient: Tensor, features: Tensor, weight: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        geometry = Geometry(self.padding, (self.stride,) * 2, groups=len(weight))
        return convolution_gradients(gradient, features, weight, geometry, (*wanted, False))[:2]


def _moved(maps: Tensor, by: int, width: int) -> Tensor:
    """Maps so many columns further to the right, of another width; free columns are zero."""
    if by == 0 and width == maps.shape[3]:
        return maps
    first, last = max(by, 0), min(maps.shape[3] + by, width)
    moved = torch.empty(
        (*maps.shape[:3], width),
        dtype=maps.dtype,
        device=maps.device,
        memory_format=torch.channels_last,
    )
    moved[..., :first], moved[..., last:] = 0, 0
    moved[..., first:last] = maps[..., first - by : last - by]
    return moved
