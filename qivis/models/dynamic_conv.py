"""Dynamic convolution: each query generates the weights that filter its own RoI features."""

import torch
from torch import Tensor, nn


class DynamicConv(nn.Module):
    """Two 1 x 1 convolutions with weights made from the query (Sparse R-CNN, fig. 4)."""

    def __init__(self, width: int, dynamic_width: int) -> None:
        """Args: width: D. dynamic_width: d, channels between the two convolutions."""
        super().__init__()
        self.generate = nn.Linear(width, 2 * width * dynamic_width)
        self.norm_in = nn.LayerNorm(dynamic_width)
        self.norm_out = nn.LayerNorm(width)
        self._shape_in = (width, dynamic_width)

    def forward(self, queries: Tensor, features: Tensor) -> Tensor:
        """Filter features.

        Args:
            queries: (N, D).
            features: (N, S * S, D), the RoI features of each query.

        Returns:
            (N, S * S, D).
        """
        width, inner = self._shape_in
        into, out_of = self.generate(queries).chunk(2, dim=1)
        features = torch.bmm(features, into.view(-1, width, inner))  # (N, S * S, d)
        features = self.norm_in(features).relu_()
        features = torch.bmm(features, out_of.view(-1, inner, width))  # (N, S * S, D)
        filtered: Tensor = self.norm_out(features)
        return filtered.relu_()
