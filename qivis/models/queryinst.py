"""QueryInst: Instances as Queries (Fang et al., ICCV 2021), the whole network.

Losses, matching and choosing detections are elsewhere (`criterion`, `matcher`, `postprocess`).
"""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from qivis.models.association_head import AssociationHead
from qivis.models.mask_head import MaskHead
from qivis.models.outputs import Chosen, Prediction
from qivis.ops.roi_align import flatten_pyramid, roi_align_pyramid
from qivis.structures import ImageBatch


class QueryInst(nn.Module):
    """Backbone, pyramid, initial queries, refinement stages, one mask head per stage.

    association: makes embeddings of the last stage's objects; None where none was learned.
    """

    def __init__(  # noqa: PLR0913 - one for each part of the network
        self,
        *,
        backbone: nn.Module,
        fpn: nn.Module,
        queries: nn.Module,
        stages: Sequence[nn.Module],
        mask_heads: Sequence[MaskHead],
        sampling_ratio: int,
        association: AssociationHead | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.fpn = fpn
        self.queries = queries
        self.stages = nn.ModuleList(stages)
        self.mask_heads = nn.ModuleList(mask_heads)
        self.association = association
        self.sampling_ratio = sampling_ratio

    def forward(self, images: ImageBatch) -> Prediction:
        """Find the objects of a batch; masks are drawn on request by `mask_logits`."""
        pyramid = self.fpn(self.backbone(images.tensor))
        rows = flatten_pyramid(pyramid)
        initial = self.queries(pyramid, images.grids)
        boxes, queries = initial.boxes, initial.queries
        outputs = []
        for stage in self.stages:
            output = stage(rows, boxes, queries)
            # Each stage learns from its own correction of the boxes alone (QueryInst, section 3.2).
            boxes, queries = output.boxes.detach(), output.queries
            outputs.append(output)
        return Prediction(pyramid, rows, initial, tuple(outputs), images.sizes)

    def mask_logits(
        self, prediction: Prediction, stage: int, chosen: Chosen, labels: Tensor
    ) -> Tensor:
        """Masks of chosen queries.

        Args:
            prediction: of a batch.
            stage: from 0; with the training heads dropped only the last one.
            chosen: P queries, whose masks are drawn.
            labels: (P,) int64, the class that each is drawn for.

        Returns:
            (P, M, M) logits, on the grids of the stage's boxes.
        """
        output = prediction.stages[stage]
        rows = chosen.images, chosen.queries
        # Counted from the last stage, so that it holds with and without the training heads.
        head = cast(MaskHead, self.mask_heads[stage - len(self.stages)])
        features = roi_align_pyramid(
            prediction.rows, output.boxes[rows], chosen.images, head.grid, self.sampling_ratio
        )
        logits: Tensor = head(output.mask_queries[rows], features, labels)
        return logits

    def embeddings(self, prediction: Prediction, chosen: Chosen) -> Tensor:
        """Learned embeddings, (P, E), of any length, of chosen queries of the last stage.

        Needs an association head.
        """
        assert self.association is not None, "the network has no association head"
        last, head = prediction.stages[-1], self.association
        rows = chosen.images, chosen.queries
        queries = last.queries[rows]
        features = queries.new_zeros(queries.shape[0], 0, queries.shape[1])
        if head.grid:
            boxes = last.boxes[rows].detach()
            features = roi_align_pyramid(
                prediction.rows, boxes, chosen.images, head.grid, self.sampling_ratio
            )
        embedded: Tensor = head(queries, last.mask_queries[rows], features)
        return embedded

    def drop_training_heads(self) -> None:
        """Keep only the last stage's mask head, the one that inference uses."""
        self.mask_heads = nn.ModuleList([self.mask_heads[-1]])
