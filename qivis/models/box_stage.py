"""One refinement stage: queries look at one another and at their boxes, and correct both."""

import math

import torch
from torch import Tensor, nn

from qivis.models.dynamic_conv import DynamicConv
from qivis.models.outputs import StageOutput
from qivis.ops.boxes import apply_deltas
from qivis.ops.roi_align import PyramidRows, roi_align_pyramid

PRIOR_LOGIT = -math.log(1 / 0.01 - 1)  # a score of 0.01, so that focal loss starts low


class BoxStage(nn.Module):
    """Self-attention, dynamic convolution, feed-forward, class and box branches (QueryInst, eq. 1).

    mmdetection calls it DIIHead.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        num_classes: int,
        width: int,
        num_heads: int,
        ffn_width: int,
        dynamic_width: int,
        grid: int,
        sampling_ratio: int,
    ) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.attention_norm = nn.LayerNorm(width)
        self.interact = DynamicConv(width, dynamic_width)
        self.flatten = nn.Linear(grid * grid * width, width)
        self.flatten_norm = nn.LayerNorm(width)
        self.interact_norm = nn.LayerNorm(width)
        self.ffn = nn.Sequential(
            nn.Linear(width, ffn_width), nn.ReLU(inplace=True), nn.Linear(ffn_width, width)
        )
        self.ffn_norm = nn.LayerNorm(width)
        self.class_tower = _tower(width, depth=1)
        self.class_logits = nn.Linear(width, num_classes)
        self.box_tower = _tower(width, depth=3)
        self.box_deltas = nn.Linear(width, 4)
        self._grid, self._sampling_ratio = grid, sampling_ratio
        initialise_head(self, self.class_logits)

    def forward(self, pyramid: PyramidRows, boxes: Tensor, queries: Tensor) -> StageOutput:
        """Refine.

        Args:
            pyramid: of the batch.
            boxes: (B, Q, 4), x1 y1 x2 y2 in input pixels.
            queries: (B, Q, D).
        """
        images = torch.arange(boxes.shape[0], device=boxes.device).repeat_interleave(boxes.shape[1])
        roi_features = roi_align_pyramid(
            pyramid, boxes.flatten(0, 1), images, self._grid, self._sampling_ratio
        )
        mask_queries = self.ask(queries)
        filtered = self.interact(mask_queries.flatten(0, 1), roi_features)
        filtered = self.flatten_norm(self.flatten(filtered.flatten(1))).relu()
        queries = self.interact_norm(mask_queries + filtered.view_as(mask_queries))
        queries = self.ffn_norm(queries + self.ffn(queries))
        deltas = self.box_deltas(self.box_tower(queries))
        return StageOutput(
            logits=self.class_logits(self.class_tower(queries)),
            boxes=apply_deltas(boxes, deltas.float()),
            queries=queries,
            mask_queries=mask_queries,
        )

    def ask(self, queries: Tensor) -> Tensor:
        """What the queries, (B, Q, D), ask their boxes for, having looked at one another."""
        attended, _ = self.attention(queries, queries, queries, need_weights=False)
        asked: Tensor = self.attention_norm(queries + attended)
        return asked


def initialise_head(head: nn.Module, class_layer: nn.Linear | nn.Conv2d) -> None:
    """Xavier-uniform for every matrix and kernel, and the prior score for the class layer."""
    for parameter in head.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    assert class_layer.bias is not None, "the class layer has a bias for the prior"
    nn.init.constant_(class_layer.bias, PRIOR_LOGIT)


def _tower(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width, bias=False), nn.LayerNorm(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
