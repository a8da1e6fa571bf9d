"""Featurized queries: a dense head proposes boxes and queries for each image.

The idea of Featurized Query R-CNN (Zhang et al. 2022): queries that start at likely objects need
fewer stages and far less training than learned ones. The dense head is FCOS-like, on strides 8,
16 and 32, with an anchor point at each location.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from qivis.models.box_stage import PRIOR_LOGIT
from qivis.models.outputs import DenseProposals, InitialQueries
from qivis.ops.boxes import apart
from qivis.ops.roi_align import STRIDES

FIRST_LEVEL = 1  # stride 8: stride 4 would cost four times as much for the smallest objects
GROUPS = 8
CANDIDATES = 256  # best locations of an image that NMS chooses from
NMS_IOU = 0.7


class FeaturizedQueries(nn.Module):
    """The dense head, and the choice of Q locations whose boxes and features become queries."""

    def __init__(self, num_queries: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.class_tower = nn.Sequential(*_conv_block(width), *_conv_block(width))
        self.box_tower = nn.Sequential(*_conv_block(width), *_conv_block(width))
        self.class_logits = nn.Conv2d(width, num_classes, 3, padding=1)
        self.distances = nn.Conv2d(width, 4, 3, padding=1)
        self.project = nn.Linear(2 * width, width)
        self.project_norm = nn.LayerNorm(width)
        self._num_queries = num_queries
        for layer, start in ((self.class_logits, PRIOR_LOGIT), (self.distances, 1.0)):
            assert layer.bias is not None, "the start values are biases"
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, start)

    def forward(self, pyramid: Sequence[Tensor], grids: Tensor) -> InitialQueries:
        """The start for a batch.

        Args:
            pyramid: (B, D, H / s, W / s) for the strides 4, 8, 16, 32.
            grids: (B, 2), width and height of each image; locations in the padding behind them are
                not chosen.
        """
        levels = [
            self._level(level, stride)
            for level, stride in zip(pyramid[FIRST_LEVEL:], STRIDES[FIRST_LEVEL:], strict=True)
        ]
        *towers, proposals = zip(*levels, strict=True)
        dense = DenseProposals(
            logits=torch.cat([level.logits for level in proposals], dim=1),
            boxes=torch.cat([level.boxes for level in proposals], dim=1),
            centres=torch.cat([level.centres for level in proposals]),
            strides=torch.cat([level.strides for level in proposals]),
        )
        chosen = choose_locations(dense, grids, self._num_queries)
        rows = torch.arange(grids.shape[0], device=chosen.device)[:, None]
        # Chosen from each tower, and put together then, which few locations are.
        features = [torch.cat(tower, dim=1)[rows, chosen] for tower in towers]  # (B, Q, D) each
        return InitialQueries(
            boxes=dense.boxes[rows, chosen].detach(),  # the dense head has a loss of its own
            queries=self.project_norm(self.project(torch.cat(features, dim=-1))),
            dense=(dense,),
            proposed=(dense.logits[rows, chosen].detach(),),
        )

    def _level(self, level: Tensor, stride: int) -> tuple[Tensor, Tensor, DenseProposals]:
        """One level (B, D, H, W) to features of both towers, (B, H * W, D), and proposals."""
        class_features, box_features = self.class_tower(level), self.box_tower(level)
        height, width = level.shape[-2:]
        columns = (torch.arange(width, device=level.device) + 0.5) * stride
        rows = (torch.arange(height, device=level.device) + 0.5) * stride
        grid = torch.meshgrid(columns, rows, indexing="xy")
        centres = torch.stack(grid, dim=-1).flatten(0, 1)  # (H * W, 2), x y
        # exp keeps distances positive; the clamp keeps an early, wild one finite.
        distances = _as_rows(self.distances(box_features)).float().clamp(max=6).exp() * stride
        boxes = torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], dim=-1)
        proposals = DenseProposals(
            logits=_as_rows(self.class_logits(class_features)).float(),
            boxes=boxes,
            centres=centres,
            strides=torch.full((len(centres),), float(stride), device=level.device),
        )
        return _as_rows(class_features), _as_rows(box_features), proposals


@torch.no_grad()
def choose_locations(dense: DenseProposals, grids: Tensor, num_queries: int) -> Tensor:
    """The best locations of each image after class-agnostic NMS.

    Where fewer than Q survive, the best suppressed ones fill up, so that every image has Q.

    Args:
        dense: L locations.
        grids: (B, 2), width and height of each image.
        num_queries: Q, at most L.

    Returns:
        (B, Q) int64, indices of locations.
    """
    scores = dense.logits.sigmoid().amax(dim=-1)
    inside = (dense.centres < grids[:, None]).all(dim=-1)
    scores = scores.where(inside, -1.0)  # so that even suppressed locations go before the padding
    best, candidates = scores.topk(min(max(CANDIDATES, num_queries), scores.shape[1]))
    rows = torch.arange(grids.shape[0], device=best.device)[:, None]
    images = rows.expand_as(candidates).flatten()
    boxes = apart(dense.boxes[rows, candidates].flatten(0, 1), images, torch.zeros_like(images))
    kept = nms(boxes, best.flatten(), NMS_IOU)
    rank = torch.zeros_like(best).flatten().index_fill(0, kept, 1).view_as(best)
    # Survivors go before all others.
    return candidates.gather(1, (rank + best).topk(num_queries).indices)


def _conv_block(width: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return conv, nn.GroupNorm(GROUPS, width), nn.ReLU(inplace=True)


def _as_rows(level: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H * W, C)."""
    return level.flatten(2).transpose(1, 2)
