"""A training on images, put together from a config."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from qivis.config import ExperimentConfig, load_config
from qivis.data.loader import TrainingClips
from qivis.data.sources import training_sources, validation_images
from qivis.engine.evaluate import as_metrics, evaluate_images, protocol_predictor
from qivis.engine.fit import Run
from qivis.errors import WeightsError
from qivis.inference.predictor import pick_device
from qivis.models.build import build_model
from qivis.models.pretrained import load_pretrained_backbone
from qivis.models.queryinst import QueryInst
from qivis.models.source import open_weights
from qivis.models.training import ImageTraining
from qivis.models.weights import WeightsHeader
from qivis.structures import Categories


def build_image_run(
    config_path: Path,
    overrides: Sequence[str],
    data_root: Path | None,
    folder: Path | None,
    device: str,
    start: str | None,
) -> Run:
    """Everything that `fit` needs.

    Args:
        config_path, overrides: the experiment.
        data_root: where the data sets are, if not where the config says.
        folder: to write to; by default runs/<config name>.
        device: as `pick_device` takes it.
        start: weights to start from, a name or a path; by default the backbone's ImageNet weights.

    Raises:
        QivisError: if config, data or weights cannot be used.
    """
    config = load_config(config_path, overrides)
    target = pick_device(device)
    root = data_root or Path(config.data.root)
    categories, sources = training_sources(config.data, None, root)
    validation = validation_images(config.data, root)
    model = _starting_model(config, categories, start)
    header = WeightsHeader(config.model, config.input, config.tracking, categories, False)

    def evaluate(network: QueryInst) -> Mapping[str, float]:
        return as_metrics(evaluate_images(protocol_predictor(network, header), validation))

    return Run(
        config=config,
        training=ImageTraining(model, config.input, config.loss),
        model=model,
        clips=TrainingClips(sources, config.augment, config.optim.seed),
        header=header,
        evaluate=evaluate,
        folder=folder or Path("runs") / config_path.stem,
        device=target,
    )


def _starting_model(
    config: ExperimentConfig, categories: Categories, start: str | None
) -> QueryInst:
    torch.manual_seed(config.optim.seed)  # of the weights that start at random
    if start is None:
        model = build_model(config.model, len(categories))
        load_pretrained_backbone(model, config.model.backbone)
        return model
    model, header = open_weights(start)
    if header.model != config.model or header.categories != categories or header.inference_only:
        raise WeightsError(
            f"{start}: cannot be trained on with this config; expected the same model settings, "
            "the classes of the data set, and all mask heads"
        )
    return model
