"""Annotation files of videos, read into one form.

The official format of YouTube-VIS (2019, 2021, 2022) and OVIS has one entry per object with a list
over the frames. CocoVID has one entry per object and frame, as COCO has it, and lists the frames as
`images`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from qivis.data.annotations import choose_categories, read_annotations, read_categories
from qivis.data.fields import (
    check_areas,
    check_file_name,
    check_flag,
    check_frames,
    check_listed,
    check_number,
    check_size,
    to_mask,
    value_of,
)
from qivis.data.rejects import Part, Reject, Sieve, UnfitError, shown
from qivis.ops import rle
from qivis.structures import Categories, Rle

T = TypeVar("T")
Masks = tuple[Rle | None, ...]


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


@dataclass(frozen=True)
class AnnotatedVideos:
    """What an annotation file holds.

    videos: by rising id.
    rejects: entries of the file that cannot be used, and are left out.
    other_classes: objects by the name of their class, where that is not asked for.
    """

    categories: Categories
    videos: tuple[AnnotatedVideo, ...]
    rejects: tuple[Reject, ...]
    other_classes: Counter[str]


def read_videos(
    path: Path, class_names: Sequence[str] = (), *, strict: bool = False
) -> AnnotatedVideos:
    """The classes and the videos of an annotation file.

    Args:
        path: the JSON file, of either format.
        class_names: as `choose_categories` takes them; objects of other classes are left out.
        strict: whether an entry that cannot be used is an error; else it is left out.

    Raises:
        DataError: if the file cannot be read or is of another kind.
    """
    content = read_annotations(path, "YouTube-VIS json", ("videos", "categories"))
    sieve = Sieve(path, strict=strict)
    listed = read_categories(content, path, sieve)
    categories, labels = choose_categories(listed, class_names, path)
    names = {category["id"]: category["name"] for category in listed}
    source = _Source(content, sieve, names, labels, Counter())
    videos = _coco_vid(source) if "images" in content else _official(source)
    sieve.warn()
    by_id = tuple(sorted(videos, key=lambda video: video.id))
    return AnnotatedVideos(categories, by_id, sieve.rejects, source.other_classes)


@dataclass(frozen=True)
class _Source:
    """A parsed file, the names of its categories by id, and the labels of those that are kept.

    other_classes: counts objects of the categories that are not kept.
    """

    content: Mapping[str, Any]
    sieve: Sieve
    names: Mapping[int, str]
    labels: Mapping[int, int]
    other_classes: Counter[str]

    def sift(self, part: Part, read: Callable[[dict[str, Any]], T], scope: str = "") -> list[T]:
        """See `Sieve.sift`."""
        return self.sieve.sift(self.content, part, read, scope)


def _official(source: _Source) -> list[AnnotatedVideo]:
    videos = {video["id"]: video for video in source.sift("videos", _official_video)}
    objects: dict[int, list[AnnotatedObject]] = {number: [] for number in videos}
    read = partial(_official_masks, videos=videos, category_ids=source.names)
    for annotation, masks in source.sift("annotations", read, "video_id"):
        if annotation["category_id"] in source.labels:
            thing = _object(annotation["id"], annotation, source.labels, masks)
            objects[annotation["video_id"]].append(thing)
        else:
            source.other_classes[source.names[annotation["category_id"]]] += 1
    return [
        AnnotatedVideo(
            id=number,
            size=(video["height"], video["width"]),
            file_names=tuple(video["file_names"]),
            objects=tuple(objects[number]),
        )
        for number, video in videos.items()
    ]


def _official_video(video: dict[str, Any]) -> dict[str, Any]:
    check_size(video)
    names = value_of(video, "file_names")
    if type(names) is not list or not names:
        raise UnfitError(f"file_names is {shown(names)}, expected a list of one or more")
    for name in names:
        check_file_name(name)
    return video


def _official_masks(
    annotation: dict[str, Any],
    videos: Mapping[int, Mapping[str, Any]],
    category_ids: Collection[int],
) -> tuple[dict[str, Any], Masks]:
    """An annotation, and its mask in each frame."""
    check_listed(annotation, "video_id", videos)
    check_listed(annotation, "category_id", category_ids)
    check_flag(annotation, "iscrowd")
    video = videos[annotation["video_id"]]
    num_frames = len(video["file_names"])
    segmentations = check_frames(annotation, "segmentations", num_frames)
    if annotation.get("bboxes") is not None:
        check_frames(annotation, "bboxes", num_frames)
    if annotation.get("areas") is not None:
        check_areas(check_frames(annotation, "areas", num_frames))
    masks = tuple(
        _seen(to_mask(segmentation, (video["height"], video["width"]), f"frame {frame}"))
        if segmentation not in (None, [])
        else None
        for frame, segmentation in enumerate(segmentations)
    )
    if not any(masks) and any(segmentations):
        raise UnfitError("its masks have no pixel in any frame")
    return annotation, masks


def _coco_vid(source: _Source) -> list[AnnotatedVideo]:
    """Images become videos, and the annotations of one instance become one object."""
    videos: dict[int, list[dict[str, Any]]] = {
        video["id"]: [] for video in source.sift("videos", lambda video: video)
    }
    for image in source.sift("images", partial(_coco_vid_image, videos=videos)):
        videos[image["video_id"]].append(image)
    shots = [shot for number, images in videos.items() if (shot := _shot(number, images, source))]
    places = {
        image["id"]: _Place(shot, index)
        for shot in shots
        for index, image in enumerate(shot.images)
    }
    read = partial(_coco_vid_mask, places=places, category_ids=source.names)
    for annotation, mask in source.sift("annotations", read):
        _add(annotation, mask, places[annotation["image_id"]], source.sieve)
    firsts = [instance.first for shot in shots for instance in shot.instances.values()]
    seen = Counter(first["category_id"] for first in firsts)
    source.other_classes.update(
        {source.names[i]: seen[i] for i in seen.keys() - source.labels.keys()}
    )
    return [_coco_vid_video(shot, source.labels) for shot in shots]


@dataclass(frozen=True)
class _Instance:
    """One object in CocoVID form: its first annotation, and its masks by frame."""

    first: Mapping[str, Any]
    masks: dict[int, Rle]


@dataclass(frozen=True)
class _Shot:
    """A video in CocoVID form: its images in order, and what is seen in them by instance id."""

    id: int
    size: tuple[int, int]
    images: Sequence[Mapping[str, Any]]
    instances: dict[int, _Instance]


@dataclass(frozen=True)
class _Place:
    """index: of the frame in the shot."""

    shot: _Shot
    index: int


def _coco_vid_image(image: dict[str, Any], videos: Mapping[int, object]) -> dict[str, Any]:
    check_listed(image, "video_id", videos)
    check_number(image, "frame_id")
    check_file_name(value_of(image, "file_name"))
    check_size(image)
    return image


def _shot(number: int, images: Sequence[Mapping[str, Any]], source: _Source) -> _Shot | None:
    """The images of a video; None, and a reject, where they are none."""
    sizes = {(image["height"], image["width"]) for image in images}
    if len(sizes) != 1:
        source.sieve.reject(
            "video",
            number,
            f"has {len(images)} images of {len(sizes)} sizes, expected some, all of one size",
        )
        return None
    return _Shot(number, sizes.pop(), sorted(images, key=lambda image: image["frame_id"]), {})


def _coco_vid_mask(
    annotation: dict[str, Any], places: Mapping[int, _Place], category_ids: Collection[int]
) -> tuple[dict[str, Any], Rle]:
    """An annotation and its mask."""
    check_listed(annotation, "image_id", places)
    check_listed(annotation, "category_id", category_ids)
    check_number(annotation, "instance_id")
    check_flag(annotation, "iscrowd")
    mask = _seen(
        to_mask(value_of(annotation, "segmentation"), places[annotation["image_id"]].shot.size)
    )
    if mask is None:
        raise UnfitError("its mask has no pixel")
    return annotation, mask


def _add(annotation: Mapping[str, Any], mask: Rle, place: _Place, sieve: Sieve) -> None:
    """Put an annotation to its instance, if it goes together with those before it."""
    number = annotation["instance_id"]
    instance = place.shot.instances.setdefault(number, _Instance(annotation, {}))
    category_id = instance.first["category_id"]
    if annotation["category_id"] != category_id:
        reason = f"category_id is {annotation['category_id']}, but {category_id} before"
        sieve.reject("annotation", annotation["id"], f"{reason} for instance {number}")
    elif place.index in instance.masks:
        reason = f"instance {number} has an earlier annotation in image {annotation['image_id']}"
        sieve.reject("annotation", annotation["id"], reason)
    else:
        instance.masks[place.index] = mask


def _coco_vid_video(shot: _Shot, labels: Mapping[int, int]) -> AnnotatedVideo:
    frames = range(len(shot.images))
    return AnnotatedVideo(
        id=shot.id,
        size=shot.size,
        file_names=tuple(image["file_name"] for image in shot.images),
        objects=tuple(
            _object(number, instance.first, labels, tuple(map(instance.masks.get, frames)))
            for number, instance in shot.instances.items()
            if instance.first["category_id"] in labels
        ),
    )


def _object(
    number: int, annotation: Mapping[str, Any], labels: Mapping[int, int], masks: Masks
) -> AnnotatedObject:
    areas = annotation.get("areas")
    if areas is None:
        areas = [rle.area(mask) if mask else None for mask in masks]
    return AnnotatedObject(
        id=number,
        label=labels[annotation["category_id"]],
        is_crowd=bool(annotation.get("iscrowd")),
        masks=masks,
        areas=tuple(areas),
    )


def _seen(mask: Rle) -> Rle | None:
    """A mask without pixels is none."""
    return mask if rle.area(mask) else None
