"""A training on videos, put together from a config."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from qivis.config import ExperimentConfig, load_config
from qivis.data.loader import TrainingClips
from qivis.data.sources import training_sources, validation_videos
from qivis.engine.evaluate_videos import as_metrics, find_results, score
from qivis.engine.find_tracks import video_predictor
from qivis.engine.fit import Run
from qivis.engine.ranks import current_shard, gathered, is_first
from qivis.engine.start import starting_model
from qivis.errors import ConfigError
from qivis.inference.predictor import pick_device
from qivis.models.queryinst import QueryInst
from qivis.models.training import ClipTraining
from qivis.models.weights import WeightsHeader


def build_vis_run(
    config_path: Path,
    overrides: Sequence[str],
    data_root: Path | None,
    folder: Path | None,
    device: str,
    start: str | None,
) -> Run:
    """Everything that `fit` needs; the arguments are those of `build_image_run`.

    Raises:
        QivisError: if config, data or weights cannot be used, or the config is not one for videos.
    """
    config = load_config(config_path, overrides)
    _check(config, config_path, start)
    target = pick_device(device)
    root = data_root or Path(config.data.root)
    categories, sources = training_sources(config.data, config.clip, root)
    validation = validation_videos(config.data, root)
    model = starting_model(config.model, categories, start, config.optim.seed)
    if config.optim.learn == "association":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("association."))
    header = WeightsHeader(config.model, config.input, config.tracking, categories, False)

    def evaluate(network: QueryInst) -> Mapping[str, float]:
        predictor = video_predictor(network, header)
        found = gathered(
            find_results(predictor, validation, current_shard().of(range(len(validation))))
        )
        return as_metrics(score(validation, found)) if is_first() else {}

    return Run(
        config=config,
        training=ClipTraining(model, config.input, config.loss, config.optim.learn),
        model=model,
        clips=TrainingClips(sources, config.augment, config.optim.seed),
        header=header,
        evaluate=evaluate,
        folder=folder or Path("runs") / config_path.stem,
        device=target,
    )


def _check(config: ExperimentConfig, path: Path, start: str | None) -> None:
    if config.model.association == "none":
        raise ConfigError(
            f"{path}: model.association is none, so that there is nothing to learn from videos; "
            "expected mlp, dynamic_conv or masktrack"
        )
    if config.clip.length < 2:
        raise ConfigError(f"{path}: clip.length is {config.clip.length}, expected 2 or more frames")
    if config.optim.learn == "association" and start is None:
        raise ConfigError(
            f"{path}: optim.learn is association, so the detector has to be one that has learned; "
            "name its weights with --init"
        )
