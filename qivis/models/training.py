"""The network with its losses: what DDP wraps and the training loop calls."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from qivis.config.schema import InputConfig, LossConfig
from qivis.models.association_pairs import FrameEmbeddings, association_losses, owners_of
from qivis.models.criterion import box_losses, class_loss, mask_loss, matched_labels
from qivis.models.inputs import prepare
from qivis.models.matcher import add_neighbours, drop_far, match
from qivis.models.outputs import Chosen, Match, Prediction, StageOutput
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
        losses: dict[str, Tensor] = {}
        for dense in prediction.initial.dense:
            terms = proposal_losses(dense, targets, ignored, weights)
            losses |= {f"proposals/{name}": term for name, term in terms.items()}
        for index, output in enumerate(prediction.stages):
            boxes = output.boxes
            matches = near_matches(output, targets, weights)
            learners = add_neighbours(matches, boxes, targets, weights.neighbour_overlap)
            labels = matched_labels(targets, learners)
            chosen = Chosen.of([learning.queries for learning in learners])
            drawn = self.model.mask_logits(prediction, index, chosen, labels)
            terms = {
                "class": class_loss(output, matches, targets, ignored, weights.focal),
                **box_losses(boxes, learners, targets, weights),
                "mask": mask_loss(drawn, boxes, learners, targets, weights.dice),
            }
            losses |= {f"stage{index}/{name}": term for name, term in terms.items()}
        return losses


class ClipTraining(nn.Module):
    """Batch of clips to losses: those of `ImageTraining` on every frame, and of association.

    Objects are told apart by the embeddings of the last stage's queries, which the association
    head makes; see `association_pairs`.
    """

    def __init__(
        self,
        model: QueryInst,
        input_config: InputConfig | None = None,
        loss_config: LossConfig | None = None,
        learn: Literal["everything", "association"] = "everything",
    ) -> None:
        """Args: model: with an association head. learn: all of it, or the association head."""
        super().__init__()
        self._images = ImageTraining(model, input_config, loss_config)
        self._input = input_config or InputConfig()
        self._weights = loss_config or LossConfig()
        self._learn_everything = learn == "everything"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted scalars by name, such as `association/contrastive`; their sum is minimised."""
        model = self._images.model
        with torch.set_grad_enabled(self._learn_everything):
            prediction = model(prepare(batch.images, self._input))
        losses: dict[str, Tensor] = {}
        if self._learn_everything:
            losses = self._images.losses(prediction, batch.targets, batch.ignored)
        frames = _embed(model, prediction, batch.targets, self._weights)
        length = batch.clip_length
        clips = [frames[start : start + length] for start in range(0, len(frames), length)]
        return losses | association_losses(clips, self._weights)


def near_matches(
    output: StageOutput, targets: Sequence[Targets], weights: LossConfig
) -> list[Match]:
    """Queries and objects of each image, matched by cost and near enough to learn."""
    matches = match(output, targets, (weights.focal, weights.l1, weights.giou))
    return drop_far(matches, output.boxes, targets, weights.least_overlap)


def _embed(
    model: QueryInst, prediction: Prediction, targets: Sequence[Targets], weights: LossConfig
) -> list[FrameEmbeddings]:
    """All queries of the last stage, frame by frame."""
    last = prediction.stages[-1]
    rows = torch.arange(last.boxes.shape[1], device=last.boxes.device)
    embedded = model.embeddings(prediction, Chosen.of([rows] * len(targets))).float()
    matches = near_matches(last, targets, weights)
    return [
        FrameEmbeddings(of_frame, owners_of(boxes, found, target), found.queries)
        for of_frame, boxes, found, target in zip(
            embedded.split(len(rows)), last.boxes.float(), matches, targets, strict=True
        )
    ]
