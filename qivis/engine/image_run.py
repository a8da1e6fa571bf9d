"""A training on images, put together from a config."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from qivis.config import load_config
from qivis.data.loader import TrainingClips
from qivis.data.sources import training_sources, validation_images
from qivis.engine.evaluate import as_metrics, find_results, protocol_predictor, score
from qivis.engine.fit import Run
from qivis.engine.ranks import current_shard, gathered, is_first
from qivis.engine.start import starting_model
from qivis.inference.predictor import pick_device
from qivis.models.queryinst import QueryInst
from qivis.models.training import ImageTraining
from qivis.models.weights import WeightsHeader


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
    model = starting_model(config.model, categories, start, config.optim.seed)
    header = WeightsHeader(config.model, config.input, config.tracking, categories, False)

    def evaluate(network: QueryInst) -> Mapping[str, float]:
        predictor = protocol_predictor(network, header)
        found = gathered(
            find_results(predictor, validation, current_shard().of(range(len(validation))))
        )
        return as_metrics(score(validation, found)) if is_first() else {}

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
