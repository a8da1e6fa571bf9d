"""Annotated videos: YouTube-VIS 2019, 2021 and 2022, OVIS, and any set in CocoVID form.

Which frames make up a training clip is `clip_sampling`'s business.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from qivis.data.images import read_image_of_size
from qivis.data.video_annotations import AnnotatedObject, read_videos
from qivis.ops import rle
from qivis.structures import Clip, Frame, Rle, Sample, Targets

# The sets do not state it; YouTube-VIS keeps every fifth frame of 30 a second.
FRAMES_PER_SECOND = 6.0


class YouTubeVis:
    """Videos and their annotations; frames are read one by one when asked for.

    A video is named by its position; `video_id` is what the annotations call it.

    categories: the classes; `categories.entries[label]`.
    rejects: entries of the file that cannot be used, and are left out.
    other_classes: objects by the name of their class, where that is not asked for.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path,
        *,
        class_names: Sequence[str] = (),
        ignore_regions: bool = False,
        strict: bool = False,
    ) -> None:
        """Read the annotations.

        Args:
            images: the folder that the annotations' file names start from (`JPEGImages`).
            annotations: the json; a set without annotations (valid, test) is fine.
            class_names: classes to keep, each a category or a supercategory of the file; objects
                of other categories are left out. Empty for all categories as they are.
            ignore_regions: whether crowds become ignored regions; else they are left out.
            strict: whether an entry that cannot be used is an error; else it is left out, and
                among `rejects`.

        Raises:
            DataError: if the file cannot be read or is of another kind.
        """
        self.folder = Path(images)
        self._ignore_regions = ignore_regions
        read = read_videos(Path(annotations), class_names, strict=strict)
        self.categories, self._videos, self.rejects = read.categories, read.videos, read.rejects
        self.other_classes = read.other_classes

    def __len__(self) -> int:
        return len(self._videos)

    def length(self, video: int) -> int:
        """T, the frames of a video."""
        return len(self._videos[video].file_names)

    def size(self, video: int) -> tuple[int, int]:
        """(H, W) of a video's frames, as the annotations say."""
        return self._videos[video].size

    def video_id(self, video: int) -> int:
        """What the annotations call the video."""
        return self._videos[video].id

    def annotated_frames(self, video: int) -> list[int]:
        """The frames in which at least one object is seen; crowds do not count."""
        objects = [thing for thing in self._videos[video].objects if not thing.is_crowd]
        return [
            index
            for index in range(self.length(video))
            if any(thing.masks[index] for thing in objects)
        ]

    def frame_sample(self, video: int, index: int) -> Sample:
        """One frame with the objects that are seen in it, in the order of the file.

        Their ids are those of the annotations (of the instances in CocoVID form): the same object
        has the same id in all frames of its video. Boxes are drawn around the masks.
        """
        entry = self._videos[video]
        seen = [(thing, mask) for thing in entry.objects if (mask := thing.masks[index])]
        crowds = [mask for thing, mask in seen if thing.is_crowd and self._ignore_regions]
        return Sample(
            image=read_image_of_size(self.folder / entry.file_names[index], entry.size),
            targets=_targets([pair for pair in seen if not pair[0].is_crowd], entry.size),
            ignored=_boxes(crowds),
        )

    def clip(self, video: int, indices: Sequence[int]) -> Clip:
        """Several frames of a video, in the order of the indices."""
        return tuple(self.frame_sample(video, index) for index in indices)

    def frames(self, video: int) -> Iterator[Frame]:
        """The pictures of a video one after the other, for inference."""
        entry = self._videos[video]
        for index, name in enumerate(entry.file_names):
            image = read_image_of_size(self.folder / name, entry.size)
            yield Frame(image, index, index / FRAMES_PER_SECOND)

    def ground_truth(self) -> dict[str, Any]:
        """What an evaluation compares with, in the official format, crowds included.

        Category ids are those of `categories`. Annotations are numbered anew from 1, for the
        official evaluation takes the id 0 for no object.
        """
        videos, annotations = [], list[dict[str, Any]]()
        for entry in self._videos:
            shape = {"height": entry.size[0], "width": entry.size[1]}
            shape["length"] = len(entry.file_names)
            videos.append({"id": entry.id, "file_names": list(entry.file_names)} | shape)
            for thing in entry.objects:
                ids = {"id": len(annotations) + 1, "video_id": entry.id}
                annotations.append(ids | shape | self._annotation(thing))
        categories = [{"id": category.id, "name": category.name} for category in self.categories]
        return {"videos": videos, "annotations": annotations, "categories": categories}

    def _annotation(self, thing: AnnotatedObject) -> dict[str, Any]:
        return {
            "category_id": self.categories.entries[thing.label].id,
            "iscrowd": int(thing.is_crowd),
            "segmentations": list(thing.masks),
            "bboxes": [rle.to_box(mask) if mask else None for mask in thing.masks],
            "areas": list(thing.areas),
        }


def _targets(seen: Sequence[tuple[AnnotatedObject, Rle]], size: tuple[int, int]) -> Targets:
    masks = [mask for _, mask in seen]
    return Targets(
        size=size,
        boxes=_boxes(masks),
        labels=torch.tensor([thing.label for thing, _ in seen], dtype=torch.int64),
        masks=rle.decode(masks, size),
        ids=torch.tensor([thing.id for thing, _ in seen], dtype=torch.int64),
    )


def _boxes(masks: Sequence[Rle]) -> torch.Tensor:
    """(N, 4) around N masks, x1 y1 x2 y2."""
    corners = [[x, y, x + w, y + h] for x, y, w, h in map(rle.to_box, masks)]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)
