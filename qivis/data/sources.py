"""The data sets that a config names, opened below a data root."""

from collections.abc import Mapping
from pathlib import Path

from qivis.config.schema import ClipConfig, DataConfig, SourceConfig
from qivis.data.cityscapes import CityscapesImages
from qivis.data.clip_sources import ClipSource, ImageSet, MovedClips, StillClips, VideoClips
from qivis.data.coco import CocoImages
from qivis.data.pseudo_clips import label_map
from qivis.data.vis_categories import (
    COCO_TO_OVIS,
    COCO_TO_YOUTUBE_VIS_2019,
    COCO_TO_YOUTUBE_VIS_2021,
    OVIS,
    YOUTUBE_VIS_2019,
    YOUTUBE_VIS_2021,
)
from qivis.data.youtube_vis import YouTubeVis
from qivis.errors import DataError
from qivis.structures import Categories

_MAPPED: Mapping[str, tuple[Categories, Mapping[int, int]]] = {
    "youtube_vis_2019": (YOUTUBE_VIS_2019, COCO_TO_YOUTUBE_VIS_2019),
    "youtube_vis_2021": (YOUTUBE_VIS_2021, COCO_TO_YOUTUBE_VIS_2021),
    "ovis": (OVIS, COCO_TO_OVIS),
}


def training_sources(
    config: DataConfig, clip: ClipConfig | None, root: Path
) -> tuple[Categories, list[tuple[ClipSource, float]]]:
    """The sets to train on.

    Args:
        config: which sets.
        clip: how many frames a clip has, and from where; None for training on single pictures.
        root: the data root.

    Returns:
        The classes that all sets have in common; each set with how often an epoch sees its clips.

    Raises:
        DataError: if a file is missing or damaged, two sets have different classes, there are
            videos where pictures are trained on, or there is nothing to train on.
    """
    parts = [(source, *_training_source(source, config, clip, root)) for source in config.train]
    first, categories, _ = parts[0]
    for source, others, _ in parts:
        if others != categories:
            raise DataError(
                f"{root / source.annotations}: its categories differ from those of "
                f"{root / first.annotations}; data.class_names chooses common ones, and "
                "coco_classes names the video set that COCO pictures are mixed with"
            )
    sources = [(clips, source.repeat) for source, _, clips in parts if len(clips)]
    if not sum(round(repeat * len(clips)) for clips, repeat in sources):
        raise DataError(
            f"{root / first.images}: nothing to train on; data.min_side leaves out small images, "
            "data.keep_empty says whether those without objects stay"
        )
    return categories, sources


def validation_images(config: DataConfig, root: Path) -> CocoImages:
    """The set of images in COCO format to measure on.

    Raises:
        DataError: if it cannot be read, or is of another kind.
    """
    _check_kind(config, "images", root)
    return open_coco(config.val, config, root)


def validation_cityscapes(config: DataConfig, root: Path) -> CityscapesImages:
    """The part of Cityscapes to measure on.

    Raises:
        DataError: if it cannot be read, or is of another kind.
    """
    _check_kind(config, "cityscapes", root)
    return open_cityscapes(config.val, config, root)


def validation_videos(config: DataConfig, root: Path) -> YouTubeVis:
    """The set of videos to measure on.

    Raises:
        DataError: if it cannot be read, or is of another kind.
    """
    _check_kind(config, "videos", root)
    return open_videos(config.val, config, root)


def _check_kind(config: DataConfig, expected: str, root: Path) -> None:
    if config.val.kind != expected:
        raise DataError(
            f"{root / config.val.annotations}: data.val holds {config.val.kind}, not {expected}"
        )


def _training_source(
    source: SourceConfig, config: DataConfig, clip: ClipConfig | None, root: Path
) -> tuple[Categories, ClipSource]:
    if source.repeat < 0:
        raise DataError(f"{source.annotations}: repeat is {source.repeat}, expected 0 or more")
    if source.kind == "videos":
        if clip is None:
            raise DataError(
                f"{root / source.annotations}: videos cannot be trained on as images; use "
                "tools/train_vis.py"
            )
        videos = open_videos(source, config, root)
        return videos.categories, VideoClips(videos, clip)
    images = _images(source, config, root)
    chosen = images.trainable(min_side=config.min_side, keep_empty=config.keep_empty)
    stills = StillClips(images, chosen)
    if clip is None:
        return images.categories, stills
    if source.coco_classes == "as they are":
        return images.categories, MovedClips(stills, clip.length)
    categories, labels = mapped_classes(source, images.categories)
    return categories, MovedClips(stills, clip.length, labels)


def mapped_classes(
    source: SourceConfig, categories: Categories
) -> tuple[Categories, Mapping[int, int]]:
    """The classes that a set is trained on as, and which of them each of its labels becomes.

    Args:
        source: the set.
        categories: its own classes; those of labels that are not in the map are left out.
    """
    if source.coco_classes == "as they are":
        return categories, {label: label for label in range(len(categories))}
    others, ids = _MAPPED[source.coco_classes]
    return others, label_map(categories, others, ids)


def _images(source: SourceConfig, config: DataConfig, root: Path) -> ImageSet:
    read = open_cityscapes if source.kind == "cityscapes" else open_coco
    return read(source, config, root)


def open_coco(source: SourceConfig, config: DataConfig, root: Path) -> CocoImages:
    """A set of pictures in COCO format with the classes of the config.

    Raises:
        DataError: if it cannot be read.
    """
    return CocoImages(
        root / source.images,
        root / source.annotations,
        class_names=config.class_names if source.coco_classes == "as they are" else (),
        ignore_regions=config.ignore_regions,
        strict=config.strict,
    )


def open_cityscapes(source: SourceConfig, config: DataConfig, root: Path) -> CityscapesImages:
    """A part of Cityscapes with the classes of the config.

    Raises:
        DataError: if it cannot be read, or is to have the classes of a video set.
    """
    if source.coco_classes != "as they are":
        raise DataError(
            f"{root / source.annotations}: coco_classes is of COCO pictures, not of Cityscapes"
        )
    return CityscapesImages(
        root / source.images,
        root / source.annotations,
        class_names=config.class_names,
        ignore_regions=config.ignore_regions,
        strict=config.strict,
    )


def open_videos(source: SourceConfig, config: DataConfig, root: Path) -> YouTubeVis:
    """A set of videos with the classes of the config.

    Raises:
        DataError: if it cannot be read.
    """
    return YouTubeVis(
        root / source.images,
        root / source.annotations,
        class_names=config.class_names,
        ignore_regions=config.ignore_regions,
        strict=config.strict,
    )
