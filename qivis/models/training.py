"""The network with its losses: what DDP wraps and the training loop calls."""

from collections.abc import Sequence

from torch import Tensor, nn

from qivis.config.schema import InputConfig, LossConfig
from qivis.models.criterion import box_losses, class_loss, mask_loss
from qivis.models.inputs import prepare
from qivis.models.matcher import add_neighbours, drop_far, match
from qivis.models.outputs import Prediction
from qivis.models.proposal_loss import proposal_losses
from qivis.models.queryinst import QueryInst
from qivis.structures import Batch, Targets


class ImageTraining(nn.Module):
    """Batch to losses, for images: frames of a clip are not related to one another."""

    def __init__(
        self,
        model: QueryInst,
        input_config: InputConfig | None = None,
        loss_config: LossConfig | None = None,
    ) -> None:
        """Args: model: is trained. The configs default to the published ones."""
        super().__init__()
        self.model = model
        self._input = input_config or InputConfig()
        self._weights = loss_config or LossConfig()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted scalars by name, such as `stage3/mask`; their sum is what is minimised."""
        prediction = self.model(prepare(batch.images, self._input))
        return self.losses(prediction, batch.targets, batch.ignored)

    def losses(
        self, prediction: Prediction, targets: Sequence[Targets], ignored: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The losses of a prediction; `targets` and `ignored` are in input pixels."""
        weights = self._weights
        costs = (weights.focal, weights.l1, weights.giou)
        losses: dict[str, Tensor] = {}
        for dense in prediction.initial.dense:
            terms = proposal_losses(dense, targets, ignored, weights)
            losses |= {f"proposals/{name}": term for name, term in terms.items()}
        for index, output in enumerate(prediction.stages):
            boxes = output.boxes
            matches = drop_far(match(output, targets, costs), boxes, targets, weights.least_overlap)
            learners = add_neighbours(matches, boxes, targets, weights.neighbour_overlap)
            drawn = self.model.mask_logits(prediction, index, learners)
            terms = {
                "class": class_loss(output, matches, targets, ignored, weights.focal),
                **box_losses(boxes, learners, targets, weights),
                "mask": mask_loss(drawn, boxes, learners, targets, weights.dice),
            }
            losses |= {f"stage{index}/{name}": term for name, term in terms.items()}
        return losses
