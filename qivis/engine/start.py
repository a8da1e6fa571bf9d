"""The weights that a training starts from."""

import logging

import torch

from qivis.config import ModelConfig
from qivis.errors import WeightsError
from qivis.models.build import build_model
from qivis.models.pretrained import load_pretrained_backbone
from qivis.models.queryinst import QueryInst
from qivis.models.source import open_weights
from qivis.models.transfer import transfer
from qivis.structures import Categories

log = logging.getLogger(__name__)


def starting_model(
    config: ModelConfig, categories: Categories, start: str | None, seed: int
) -> QueryInst:
    """A network to train.

    Args:
        config: its settings.
        categories: its classes.
        start: weights to start from, a name or a path; they may be of other classes and have
            another association head or none. None for the backbone's ImageNet weights alone.
        seed: of the weights that start at random.

    Raises:
        WeightsError: if the weights cannot be had, or are of another network.
    """
    torch.manual_seed(seed)
    model = build_model(config, len(categories))
    if start is None:
        load_pretrained_backbone(model, config.backbone)
        return model
    source, header = open_weights(start)
    if header.inference_only:
        raise WeightsError(
            f"{start}: cannot be trained on; the mask heads that only training needs were dropped"
        )
    try:
        taken = transfer(source, header.categories, model, categories)
    except WeightsError as error:
        raise WeightsError(
            f"{start}: cannot be trained on with this config: {error}; expected the same model "
            "settings"
        ) from error
    log.info("%s: starts from it, with %d of %d classes", start, len(taken), len(categories))
    return model
