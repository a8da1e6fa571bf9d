"""What data sets hold, in one form for pictures and videos: for looking them through.

Sets are opened as training opens them; what that leaves out is counted here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qivis.config.schema import DataConfig, SourceConfig
from qivis.data.cityscapes import IDS_OF_A_CLASS
from qivis.data.coco import CocoImages
from qivis.data.images import read_values
from qivis.data.pseudo_clips import relabel
from qivis.data.rejects import Reject
from qivis.data.sources import mapped_classes, open_cityscapes, open_coco, open_videos
from qivis.structures import Sample
from qivis.structures.cityscapes import CITYSCAPES


@dataclass(frozen=True)
class NamedSet:
    """A set to look through.

    name: for messages.
    is_measured_on: whether models are measured on it; else they learn from it.
    source: where it is.
    """

    name: str
    is_measured_on: bool
    source: SourceConfig


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a set lists.

    name: what the set calls it.
    path: its file.
    size: (H, W) in pixels, as the annotations say.
    scene: the position of its video in the set; of a picture that is of no video, its own.
    num_objects: that can be learned from it.
    """

    name: str
    path: Path
    size: tuple[int, int]
    scene: int
    num_objects: int


@dataclass(frozen=True, slots=True)
class Box:
    """An object in a picture, no crowd.

    picture: position in the set.
    label: position among the class names.
    area: pixels.
    """

    picture: int
    label: int
    area: float


@dataclass(frozen=True)
class Contents:
    """A set, ready to be counted.

    origin: what it is called, and where it is.
    videos: how many; 0 in a set of pictures.
    pictures: in videos, frames.
    boxes: objects of the classes that are learned, those too small to be learned included.
    class_names: of these classes, by label.
    annotations: as many as the file has for these classes; in videos, one per object.
    crowds, slivers: annotations of crowds, and of objects too small to be learned.
    other_classes: annotations by the name of their class, if that is not learned.
    rejects: what does not fit the format.
    sample: picture and objects at a position; raises DataError.
    """

    origin: NamedSet
    videos: int
    pictures: Sequence[Picture]
    boxes: Sequence[Box]
    class_names: Sequence[str]
    annotations: int
    crowds: int
    slivers: int
    other_classes: Mapping[str, int]
    rejects: Sequence[Reject]
    sample: Callable[[int], Sample]


def read_contents(origin: NamedSet, config: DataConfig, root: Path) -> Contents:
    """A set below a data root.

    Args:
        origin: the set.
        config: its classes are those that are learned.
        root: the data root.

    Raises:
        DataError: if it cannot be read.
    """
    lenient = replace(config, strict=False)  # what cannot be used is to be listed
    return _READERS[origin.source.kind](origin, lenient, root)


def _of_images(origin: NamedSet, config: DataConfig, root: Path) -> Contents:
    dataset = open_coco(origin.source, config, root)
    truth = dataset.ground_truth()
    categories, labels = mapped_classes(origin.source, dataset.categories)
    positions = {image["id"]: index for index, image in enumerate(truth["images"])}
    boxes, unmapped = list[Box](), Counter[str]()
    singles = [a for a in truth["annotations"] if not a.get("iscrowd")]
    for annotation in singles:
        label = dataset.categories.label_of(annotation["category_id"])
        if label in labels:
            picture = positions[annotation["image_id"]]
            boxes.append(Box(picture, labels[label], float(annotation["area"])))
        else:
            unmapped[dataset.categories.names[label]] += 1
    pictures = _coco_pictures(dataset, truth["images"])
    return Contents(
        origin=origin,
        videos=0,
        pictures=pictures,
        boxes=boxes,
        class_names=categories.names,
        annotations=len(truth["annotations"]) - unmapped.total(),
        crowds=len(truth["annotations"]) - len(singles),
        slivers=len(singles) - sum(picture.num_objects for picture in pictures),
        other_classes=unmapped or dataset.other_classes,
        rejects=dataset.rejects,
        sample=lambda index: relabel(dataset[index][0], labels),
    )


def _coco_pictures(dataset: CocoImages, images: Sequence[Mapping[str, str]]) -> list[Picture]:
    return [
        Picture(
            name=f"image {dataset.image_id(index)}",
            path=dataset.folder / image["file_name"],
            size=dataset.size(index),
            scene=index,
            num_objects=dataset.num_objects(index),
        )
        for index, image in enumerate(images)
    ]


def _of_videos(origin: NamedSet, config: DataConfig, root: Path) -> Contents:
    dataset = open_videos(origin.source, config, root)
    truth = dataset.ground_truth()
    frames = [(video, t) for video in range(len(dataset)) for t in range(dataset.length(video))]
    position = {frame: index for index, frame in enumerate(frames)}
    video_of = {dataset.video_id(video): video for video in range(len(dataset))}
    singles = [a for a in truth["annotations"] if not a["iscrowd"]]
    boxes = [
        Box(
            picture=position[video_of[annotation["video_id"]], t],
            label=dataset.categories.label_of(annotation["category_id"]),
            area=float(annotation["areas"][t] or 0),
        )
        for annotation in singles
        for t, mask in enumerate(annotation["segmentations"])
        if mask
    ]
    seen = Counter(box.picture for box in boxes)
    return Contents(
        origin=origin,
        videos=len(dataset),
        pictures=[
            Picture(
                name=f"video {dataset.video_id(video)}, frame {t}",
                path=dataset.folder / truth["videos"][video]["file_names"][t],
                size=dataset.size(video),
                scene=video,
                num_objects=seen[index],
            )
            for index, (video, t) in enumerate(frames)
        ],
        boxes=boxes,
        class_names=dataset.categories.names,
        annotations=len(truth["annotations"]),
        crowds=len(truth["annotations"]) - len(singles),
        slivers=0,
        other_classes=dataset.other_classes,
        rejects=dataset.rejects,
        sample=lambda index: dataset.frame_sample(*frames[index]),
    )


def _of_cityscapes(origin: NamedSet, config: DataConfig, root: Path) -> Contents:
    dataset = open_cityscapes(origin.source, config, root)
    labels = {category.id: label for label, category in enumerate(dataset.categories)}
    names = {category.id: category.name for category in CITYSCAPES}
    boxes, others, crowds = list[Box](), Counter[str](), 0
    for index in range(len(dataset)):
        areas = np.bincount(read_values(dataset.annotation(index)).ravel())
        for value in np.flatnonzero(areas).tolist():
            category_id = value // IDS_OF_A_CLASS
            crowds += value in labels
            if category_id in labels:
                boxes.append(Box(index, labels[category_id], float(areas[value])))
            elif category_id in names:
                others[names[category_id]] += 1
    seen = Counter(box.picture for box in boxes)
    return Contents(
        origin=origin,
        videos=0,
        pictures=[
            Picture(
                name=f"image {dataset.image_id(index)}",
                path=dataset.picture(index),
                size=dataset.size(index),
                scene=index,
                num_objects=seen[index],
            )
            for index in range(len(dataset))
        ],
        boxes=boxes,
        class_names=dataset.categories.names,
        annotations=len(boxes) + crowds,
        crowds=crowds,
        slivers=0,
        other_classes=others,
        rejects=dataset.rejects,
        sample=lambda index: dataset[index][0],
    )


_READERS: Mapping[str, Callable[[NamedSet, DataConfig, Path], Contents]] = {
    "images": _of_images,
    "videos": _of_videos,
    "cityscapes": _of_cityscapes,
}
