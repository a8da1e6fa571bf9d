"""Which sets a folder holds, by the layouts in which data sets are published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.annotations import read_annotations
from qivis.data.contents import NamedSet
from qivis.errors import DataError


@dataclass(frozen=True)
class Layout:
    """Where the parts of a data set are; `*` stands for a part's name, such as `train2017`."""

    kind: Literal["images", "videos", "cityscapes"]
    annotations: str
    images: str


LAYOUTS = (
    Layout("cityscapes", "gtFine/*", "leftImg8bit/*"),
    Layout("images", "annotations/instances_*.json", "*"),  # COCO
    Layout("videos", "*/instances.json", "*/JPEGImages"),  # YouTube-VIS 2021 and 2022
    Layout("videos", "annotations_*.json", "*"),  # OVIS
    Layout("videos", "*.json", "*/JPEGImages"),  # YouTube-VIS 2019
)


def sets_of_config(config: DataConfig) -> list[NamedSet]:
    """The sets that a config trains on, and the one that it measures on."""
    train = [NamedSet(f"{source.annotations} (train)", False, source) for source in config.train]
    return [*train, NamedSet(f"{config.val.annotations} (val)", True, config.val)]


def sets_in(folder: Path) -> list[NamedSet]:
    """The parts of a data set in one of the LAYOUTS; all but `train...` are measured on.

    Raises:
        DataError: if the folder has none of them.
    """
    for layout in LAYOUTS:
        found = _parts(folder, layout)
        if found:
            return found
    expected = ", ".join(f"{layout.annotations} with {layout.images}" for layout in LAYOUTS)
    raise DataError(
        f"{folder}: no data set of a known layout; expected one of {expected} (* is the same in "
        "both), an annotation file together with --images, or a config"
    )


def set_of_file(annotations: Path, images: Path) -> list[NamedSet]:
    """A set from its annotation file and its folder of pictures.

    Raises:
        DataError: if the file cannot be read.
    """
    content = read_annotations(annotations, "COCO or YouTube-VIS json", ("categories",))
    kind: Literal["images", "videos"] = "videos" if "videos" in content else "images"
    source = SourceConfig(str(images.resolve()), str(annotations.resolve()), kind)
    return [NamedSet(annotations.name, False, source)]


def _parts(folder: Path, layout: Layout) -> list[NamedSet]:
    before, after = layout.annotations.split("*")
    found: list[NamedSet] = []
    for path in sorted(folder.glob(layout.annotations)):
        annotations = path.relative_to(folder).as_posix()
        part = annotations.removeprefix(before).removesuffix(after)
        images = layout.images.replace("*", part)
        if (folder / images).is_dir():
            source = SourceConfig(images, annotations, layout.kind)
            found.append(NamedSet(part, not part.startswith("train"), source))
    return found
