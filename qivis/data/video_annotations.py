"""Annotation files of videos, read into one form.

The official format of YouTube-VIS (2019, 2021, 2022) and OVIS has one entry per object with a list
over the frames. CocoVID has one entry per object and frame, as COCO has it, and lists the frames as
`images`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qivis.data.annotations import (
    check_fields,
    check_reference,
    choose_categories,
    read_annotations,
    to_mask,
)
from qivis.errors import DataError
from qivis.ops import rle
from qivis.structures import Categories, Rle


@dataclass(frozen=True)
class AnnotatedObject:
    """One object of a video of T frames.

    id: unique in the video.
    label: class index.
    is_crowd: whether it is a group of objects that are not told apart.
    masks: T entries, None where the object is not seen.
    areas: T entries, the pixels that the file states; None where the object is not seen.
    """

    id: int
    label: int
    is_crowd: bool
    masks: tuple[Rle | None, ...]
    areas: tuple[float | None, ...]


@dataclass(frozen=True)
class AnnotatedVideo:
    """One video of T frames.

    id: what the file calls it.
    size: (H, W) of its frames.
    file_names: T, relative to the folder of frames.
    objects: in the order of the file; none in a set whose annotations are not public.
    """

    id: int
    size: tuple[int, int]
    file_names: tuple[str, ...]
    objects: tuple[AnnotatedObject, ...]


def read_videos(
    path: Path, class_names: Sequence[str] = ()
) -> tuple[Categories, tuple[AnnotatedVideo, ...]]:
    """The classes and the videos of an annotation file, by rising id.

    Args:
        path: the JSON file, of either format.
        class_names: as `choose_categories` takes them; objects of other classes are left out.

    Raises:
        DataError: if the file cannot be read or does not fit its format.
    """
    content = read_annotations(path, "YouTube-VIS json", ("videos", "categories"))
    categories, labels = choose_categories(content, class_names, path)
    source = _Source(path, content, {category["id"] for category in content["categories"]}, labels)
    videos = _coco_vid(source) if "images" in content else _official(source)
    return categories, tuple(sorted(videos, key=lambda video: video.id))


@dataclass(frozen=True)
class _Source:
    """A parsed file, the category ids that it lists, and the labels of those that are kept."""

    path: Path
    content: Mapping[str, Any]
    category_ids: set[int]
    labels: Mapping[int, int]

    def entries(self, name: str, needed: Sequence[str]) -> Iterable[Mapping[str, Any]]:
        """A list of the file; every entry has the needed fields."""
        for entry in self.content.get(name) or ():
            check_fields(entry, needed, self.path, name.removesuffix("s"))
            yield entry

    def annotations(self, *needed: str) -> Iterable[Mapping[str, Any]]:
        """Those of the kept classes."""
        for annotation in self.entries("annotations", needed):
            check_reference(annotation, "category_id", self.category_ids, self.path)
            if annotation["category_id"] in self.labels:
                yield annotation


def _official(source: _Source) -> list[AnnotatedVideo]:
    needed = ("id", "height", "width", "file_names")
    videos = {entry["id"]: entry for entry in source.entries("videos", needed)}
    objects: dict[int, dict[int, AnnotatedObject]] = {number: {} for number in videos}
    for annotation in source.annotations("id", "segmentations"):
        check_reference(annotation, "video_id", videos, source.path)
        video = videos[annotation["video_id"]]
        of_video = objects[video["id"]]
        if annotation["id"] in of_video:
            raise DataError(f"{source.path}: two annotations have the id {annotation['id']}")
        of_video[annotation["id"]] = _official_object(annotation, video, source)
    return [
        AnnotatedVideo(
            number, _size(video), tuple(video["file_names"]), tuple(objects[number].values())
        )
        for number, video in videos.items()
    ]


def _official_object(
    annotation: Mapping[str, Any], video: Mapping[str, Any], source: _Source
) -> AnnotatedObject:
    what = f"{source.path}: annotation {annotation['id']}"
    num_frames = len(video["file_names"])
    areas = annotation.get("areas")
    for name, values in (("segmentations", annotation["segmentations"]), ("areas", areas)):
        if values is not None and len(values) != num_frames:
            raise DataError(
                f"{what} has {len(values)} {name}, but its video {video['id']} has "
                f"{num_frames} frames"
            )
    masks = [
        to_mask(segmentation, _size(video), f"{what}, frame {frame}") if segmentation else None
        for frame, segmentation in enumerate(annotation["segmentations"])
    ]
    return _object(annotation["id"], annotation, source, masks, areas)


def _coco_vid(source: _Source) -> list[AnnotatedVideo]:
    """Images become videos, and the annotations of one instance become one object."""
    frames: dict[int, list[Mapping[str, Any]]] = {
        video["id"]: [] for video in source.entries("videos", ("id",))
    }
    by_image: dict[int, list[Mapping[str, Any]]] = {}
    needed = ("id", "video_id", "frame_id", "file_name", "height", "width")
    for image in source.entries("images", needed):
        check_reference(image, "video_id", frames, source.path, "image")
        frames[image["video_id"]].append(image)
        by_image[image["id"]] = []
    for annotation in source.annotations("id", "image_id", "instance_id", "segmentation"):
        check_reference(annotation, "image_id", by_image, source.path)
        by_image[annotation["image_id"]].append(annotation)
    return [_coco_vid_video(number, found, by_image, source) for number, found in frames.items()]


def _coco_vid_video(
    number: int,
    images: Sequence[Mapping[str, Any]],
    by_image: Mapping[int, Sequence[Mapping[str, Any]]],
    source: _Source,
) -> AnnotatedVideo:
    frames = sorted(images, key=lambda image: image["frame_id"])
    sizes = {_size(image) for image in frames}
    if len(sizes) != 1:
        raise DataError(
            f"{source.path}: video {number} has {len(frames)} images of {len(sizes)} sizes; "
            "expected some images, all of one size"
        )
    instances: dict[int, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for index, image in enumerate(frames):
        for annotation in by_image[image["id"]]:
            seen = instances[annotation["instance_id"]]
            if index in seen:
                raise DataError(
                    f"{source.path}: annotations {seen[index]['id']} and {annotation['id']} are of "
                    "the same instance in the same image"
                )
            seen[index] = annotation
    objects = [
        _coco_vid_object(instance, seen, frames, source) for instance, seen in instances.items()
    ]
    names = tuple(str(image["file_name"]) for image in frames)
    return AnnotatedVideo(number, sizes.pop(), names, tuple(objects))


def _coco_vid_object(
    instance: int,
    seen: Mapping[int, Mapping[str, Any]],
    frames: Sequence[Mapping[str, Any]],
    source: _Source,
) -> AnnotatedObject:
    """One object from its annotations by frame."""
    masks: list[Rle | None] = [None] * len(frames)
    for index, annotation in seen.items():
        what = f"{source.path}: annotation {annotation['id']}"
        masks[index] = to_mask(annotation["segmentation"], _size(frames[index]), what)
    first = next(iter(seen.values()))
    if any(annotation["category_id"] != first["category_id"] for annotation in seen.values()):
        raise DataError(f"{source.path}: instance {instance} has several categories")
    return _object(instance, first, source, masks, None)


def _object(
    number: int,
    annotation: Mapping[str, Any],
    source: _Source,
    masks: Sequence[Rle | None],
    areas: Sequence[float | None] | None,
) -> AnnotatedObject:
    """An object; a mask without pixels is none."""
    measured = [rle.area(mask) if mask else 0 for mask in masks]
    return AnnotatedObject(
        id=number,
        label=source.labels[annotation["category_id"]],
        is_crowd=bool(annotation.get("iscrowd")),
        masks=tuple(mask if area else None for mask, area in zip(masks, measured, strict=True)),
        areas=tuple(areas) if areas is not None else tuple(area or None for area in measured),
    )


def _size(entry: Mapping[str, Any]) -> tuple[int, int]:
    return int(entry["height"]), int(entry["width"])
