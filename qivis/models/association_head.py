"""Embeddings by which objects are recognised in other frames, in three forms to compare.

All take the same three views of a detected object, and each uses what its paper uses.
"""

from torch import Tensor, nn

from qivis.models.dynamic_conv import DynamicConv


class MlpEmbedding(nn.Module):
    """Three layers on the query of the last stage (IDOL, CTVIS)."""

    grid = 0  # looks at no RoI features

    def __init__(self, width: int, embedding_width: int) -> None:
        """Args: width: D. embedding_width: E."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, embedding_width),
        )

    def forward(self, queries: Tensor, mask_queries: Tensor, features: Tensor) -> Tensor:
        """Embed objects.

        Args:
            queries: (P, D), of the last stage.
            mask_queries: (P, D), of the last stage after self-attention, which drive its masks.
            features: (P, S * S, D), RoI features of the last stage's boxes; S is `grid`.

        Returns:
            (P, E), of any length.
        """
        del mask_queries, features
        embedded: Tensor = self.layers(queries)
        return embedded


class DynamicConvEmbedding(nn.Module):
    """The query filters the features of its box, as for its mask (QueryTrack, arXiv 2106.11963).

    RoI side 7: its authors found 14 to be no better (hustvl/QueryInst, issue 34).
    """

    def __init__(self, width: int, dynamic_width: int, grid: int, embedding_width: int) -> None:
        """Args: width: D. dynamic_width: inner channels. grid: S. embedding_width: E."""
        super().__init__()
        self.grid = grid
        self.interact = DynamicConv(width, dynamic_width)
        self.flatten = nn.Linear(grid * grid * width, width)
        self.flatten_norm = nn.LayerNorm(width)
        self.embed = nn.Linear(width, embedding_width)

    def forward(self, queries: Tensor, mask_queries: Tensor, features: Tensor) -> Tensor:
        """See `MlpEmbedding.forward`."""
        del queries
        filtered = self.interact(mask_queries, features).flatten(1)
        embedded: Tensor = self.embed(self.flatten_norm(self.flatten(filtered)).relu())
        return embedded


class MaskTrackEmbedding(nn.Module):
    """Two layers on the features of the box (MaskTrack R-CNN, section 4.2)."""

    def __init__(self, width: int, grid: int, embedding_width: int) -> None:
        """Args: width: D. grid: S. embedding_width: E, also of the hidden layer."""
        super().__init__()
        self.grid = grid
        self.hidden = nn.Linear(grid * grid * width, embedding_width)
        self.embed = nn.Linear(embedding_width, embedding_width)

    def forward(self, queries: Tensor, mask_queries: Tensor, features: Tensor) -> Tensor:
        """See `MlpEmbedding.forward`."""
        del queries, mask_queries
        embedded: Tensor = self.embed(self.hidden(features.flatten(1)).relu())
        return embedded


AssociationHead = MlpEmbedding | DynamicConvEmbedding | MaskTrackEmbedding
