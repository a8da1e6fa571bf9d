"""Swin Transformer (Liu et al. 2021): torchvision's layers, read off after each of four stages."""

from collections.abc import Sequence

import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

_PATCH = 4  # pixels a side; the stride of the first stage


class Swin(nn.Module):
    """A Swin Transformer of which every stage gives a feature map, behind a norm of its own.

    As in mmdetection, whose published QueryInst has it: all of it learns, windows are 7 a side.
    A map that windows do not fit into is padded with zeros, and the padding cut off afterwards.

    channels: of the four feature maps.
    """

    def __init__(
        self, width: int, depths: Sequence[int], num_heads: Sequence[int], drop_path: float
    ) -> None:
        """Freshly initialised.

        Args:
            width: channels of the first stage; each further stage has twice as many.
            depths, num_heads: blocks of each stage, and heads of their attention.
            drop_path: probability that the last block is skipped in training; those before it
                are skipped the less the earlier they stand.
        """
        super().__init__()
        self.channels = tuple(width * 2**stage for stage in range(len(depths)))
        self.body = torchvision.models.SwinTransformer(
            patch_size=[_PATCH, _PATCH],
            embed_dim=width,
            depths=list(depths),
            num_heads=list(num_heads),
            window_size=[7, 7],
            stochastic_depth_prob=drop_path,
        )
        for part in ("norm", "permute", "avgpool", "flatten", "head"):
            delattr(self.body, part)
        self.norms = nn.ModuleList(nn.LayerNorm(count) for count in self.channels)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) to (B, C, H / s, W / s), rounded up, for the strides s = 4, 8, 16, 32."""
        height, width = images.shape[-2:]
        features = F.pad(images, (0, -width % _PATCH, 0, -height % _PATCH))
        outputs = []
        # Embedding or merging of patches and blocks in turn; channels are the last dimension.
        for index, layer in enumerate(self.body.features):
            features = layer(features)
            if index % 2:
                outputs.append(self.norms[index // 2](features).permute(0, 3, 1, 2))
        return tuple(outputs)
