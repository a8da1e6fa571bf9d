"""The data sets that a config names, opened below a data root."""

from pathlib import Path

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.coco import CocoImages
from qivis.errors import DataError


def training_sets(config: DataConfig, root: Path) -> list[CocoImages]:
    """The sets to train on, all with the same classes.

    Raises:
        DataError: if a file is missing, or two sets have different classes.
    """
    sets = [_open(source, config, root) for source in config.train]
    for source, other in zip(config.train, sets, strict=True):
        if other.categories != sets[0].categories:
            raise DataError(
                f"{root / source.annotations}: its categories differ from those of "
                f"{root / config.train[0].annotations}; data.class_names chooses common ones"
            )
    return sets


def training_entries(config: DataConfig, sets: list[CocoImages]) -> list[tuple[CocoImages, int]]:
    """What is trained on: every suitable image of every set.

    Raises:
        DataError: if there is none.
    """
    entries = [
        (part, index)
        for part in sets
        for index in part.trainable(min_side=config.min_side, keep_empty=config.keep_empty)
    ]
    if not entries:
        raise DataError(
            f"{sets[0].folder}: no image to train on; data.min_side leaves out small ones, "
            "data.keep_empty says whether those without objects stay"
        )
    return entries


def validation_set(config: DataConfig, root: Path) -> CocoImages:
    """The set to measure on."""
    return _open(config.val, config, root)


def _open(source: SourceConfig, config: DataConfig, root: Path) -> CocoImages:
    return CocoImages(
        root / source.images,
        root / source.annotations,
        class_names=config.class_names,
        ignore_regions=config.ignore_regions,
    )
