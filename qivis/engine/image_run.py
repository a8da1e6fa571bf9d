"""A training on images, put together from a config."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qivis.config import DataConfig, load_config
from qivis.data.loader import TrainingClips
from qivis.data.sources import training_sources, validation_cityscapes, validation_images
from qivis.engine.evaluate import as_metrics, find_results, protocol_predictor, score
from qivis.engine.evaluate_cityscapes import as_metrics as street_metrics
from qivis.engine.evaluate_cityscapes import find_instances, score_instances
from qivis.engine.fit import Run
from qivis.engine.ranks import current_shard, gathered, is_first
from qivis.engine.start import starting_model
from qivis.evaluation.cityscapes_ap import require_cityscapesscripts
from qivis.inference.predictor import Predictor, pick_device
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
    measure = _measure(config.data, root)
    model = starting_model(config.model, categories, start, config.optim.seed)
    header = WeightsHeader(config.model, config.input, config.tracking, categories, False)

    def evaluate(network: QueryInst) -> Mapping[str, float]:
        return measure(protocol_predictor(network, header))

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


def _measure(config: DataConfig, root: Path) -> Callable[[Predictor], Mapping[str, float]]:
    """What measures a predictor on the validation set, which is opened at once, over all ranks."""
    if config.val.kind == "cityscapes":
        require_cityscapesscripts()
        streets = validation_cityscapes(config, root)

        def measure_streets(predictor: Predictor) -> Mapping[str, float]:
            own = current_shard().of(range(len(streets)))
            found = gathered(find_instances(predictor, streets, own))
            return street_metrics(score_instances(streets, found)) if is_first() else {}

        return measure_streets
    images = validation_images(config, root)

    def measure_images(predictor: Predictor) -> Mapping[str, float]:
        own = current_shard().of(range(len(images)))
        found = gathered(find_results(predictor, images, own))
        return as_metrics(score(images, found)) if is_first() else {}

    return measure_images
