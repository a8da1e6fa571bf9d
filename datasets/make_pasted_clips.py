"""Make a video set from pictures: objects of a COCO-format set, cut out and moved over others.

    python datasets/make_pasted_clips.py datasets/pasted \
        --train datasets/coco/train2017 datasets/coco/annotations/instances_train2017.json \
        --valid datasets/coco/val2017 datasets/coco/annotations/instances_val2017.json \
        --class-names person animal vehicle

The result has the layout of YouTube-VIS 2019. Objects of one class come together, hide one another
in a fixed order of depth, leave and return; the truth is exact. Backgrounds are pictures without
any object of the chosen classes. The same seed gives the same videos. The pictures keep the licence
of the set that they are from.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from qivis.data.coco import CocoImages
from qivis.errors import DataError, QivisError
from qivis.files import atomic_folder, write_atomically
from qivis.ops import rle

HELD_OUT_SHARE = 0.25  # of the pictures, for the valid videos where no set is given for them

# Which objects are worth cutting out.
LEAST_SIDE = 48  # pixels of the box
LEAST_FILL = 0.3  # of the box; thin things are mostly outline
LEAST_CORNERS = 20  # of the polygon; fewer show the background in the corners that they cut
LEAST_MARGIN = 3  # pixels to the border of the picture; what touches it is cut off there

# How they move.
SIDES = (0.35, 0.95)  # longer side of an object, as a share of the video's height
LARGEST_ENLARGEMENT = 1.5  # of the picture's pixels, or the object is a blur
FRAMES_PER_STRETCH = 6  # between two waypoints
LONGEST_STEP = 0.3  # between two waypoints, as a share of the video's sides
MEETING_PULL = 0.25  # of the way to the scene's meeting place, at each waypoint
OUTSIDE_SHARE = 0.2  # of the waypoints lie outside the video
SHRINKAGE, LARGEST_ANGLE, LARGEST_STRETCH = 0.65, 14.0, 0.08  # factor, degrees, share
SHUTTER = 0.1  # frames that an exposure lasts; more of it shows as double contours
STILL_SHARE = 0.4  # of the backgrounds stand still
SIBLING_SHARE = 0.5  # of the look-alikes are from one picture, if it has several

Bitmaps = NDArray[np.bool_]


@dataclass(frozen=True)
class Settings:
    """size: (H, W) of the videos. length: frames. objects: fewest and most in a video."""

    size: tuple[int, int] = (360, 640)
    length: int = 24
    objects: tuple[int, int] = (2, 6)
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """An object that may be cut out: position of its picture, annotation id, class index."""

    picture: int
    annotation: int
    label: int


@dataclass(frozen=True)
class Pictures:
    """What videos are made of.

    candidates: of each class that has any. backgrounds: positions of pictures in `dataset`.
    """

    dataset: CocoImages
    candidates: dict[int, list[Candidate]]
    backgrounds: list[int]


@dataclass(frozen=True)
class Course:
    """Where something is over time, eased from one waypoint to the next.

    waypoints: (W, 5), x and y in pixels, log of the scale, degrees clockwise, log of width over
        height.
    """

    waypoints: NDArray[np.float64]

    def at(self, moment: float) -> NDArray[np.float64]:
        """(5,) at a moment in [0, 1]."""
        place = min(max(moment, 0.0), 1.0) * (len(self.waypoints) - 1)
        before = min(int(place), len(self.waypoints) - 2)
        eased = (1 - math.cos(math.pi * (place - before))) / 2
        here: NDArray[np.float64] = (
            self.waypoints[before] * (1 - eased) + self.waypoints[before + 1] * eased
        )
        return here


@dataclass(frozen=True)
class Layer:
    """What is moved (an object with transparency, a background without).

    course: its movement. source: position of the picture that it is from. label: class index.
    """

    picture: Image.Image
    course: Course
    source: int
    label: int


def make_split(
    out: Path, split: str, pictures: Pictures, num_videos: int, settings: Settings
) -> dict[str, Any]:
    """Write `<split>/JPEGImages/` and `<split>.json`, and return the content of the latter.

    They take the places of what was there when all pictures are made. The file goes before the old
    pictures and comes after the new ones: whoever finds it has the pictures that it speaks of.
    """
    file = out / f"{split}.json"
    with atomic_folder(out / split / "JPEGImages") as folder:
        content = _make_videos(folder, split, pictures, num_videos, settings)
        file.unlink(missing_ok=True)
    write_atomically(file, json.dumps(content).encode())
    return content


def _make_videos(
    folder: Path, split: str, pictures: Pictures, num_videos: int, settings: Settings
) -> dict[str, Any]:
    """Write the pictures of all videos, and return what YouTube-VIS says of them."""
    videos, annotations = [], list[dict[str, Any]]()
    listed = pictures.dataset.ground_truth()["images"]
    for number in range(1, num_videos + 1):
        rng = np.random.default_rng((settings.seed, *split.encode(), number))
        layers = draw_scene(pictures, settings, rng)
        names, masks = [], []
        for index in range(settings.length):
            names.append(f"{number:04d}/{index:05d}.jpg")
            frame, visible = expose(layers, index, settings)
            _save_jpeg(folder / names[-1], frame)
            masks.append(rle.encode(torch.from_numpy(visible)))
        height, width = settings.size
        shape = {"height": height, "width": width, "length": settings.length}
        sources = sorted({str(listed[layer.source]["file_name"]) for layer in layers})
        videos.append({"id": number, "file_names": names, "sources": sources} | shape)
        for layer, track in zip(layers[1:], zip(*masks, strict=True), strict=True):
            category = pictures.dataset.categories.entries[layer.label]
            ids = {"id": len(annotations) + 1, "video_id": number, "category_id": category.id}
            if any(rle.area(mask) for mask in track):
                annotations.append(ids | {"iscrowd": 0} | shape | _annotate(track))
    categories = [{"id": c.id, "name": c.name} for c in pictures.dataset.categories]
    return {"videos": videos, "annotations": annotations, "categories": categories}


def find_pictures(dataset: CocoImages, positions: Sequence[int]) -> Pictures:
    """The objects and backgrounds among some pictures of a set.

    Raises:
        DataError: if there are no backgrounds or no objects.
    """
    by_picture: dict[int, list[dict[str, Any]]] = defaultdict(list)
    truth = dataset.ground_truth()
    for annotation in truth["annotations"]:
        by_picture[annotation["image_id"]].append(annotation)
    candidates: dict[int, list[Candidate]] = defaultdict(list)
    backgrounds = []
    for position in positions:
        found = by_picture[dataset.image_id(position)]
        for annotation in found:
            if is_worth_cutting_out(annotation, dataset.size(position)):
                label = dataset.categories.label_of(annotation["category_id"])
                candidates[label].append(Candidate(position, annotation["id"], label))
        if not found and not truth["images"][position].get("unlabelled"):
            backgrounds.append(position)
    if not candidates or not backgrounds:
        raise DataError(
            f"{dataset.folder}: {len(candidates)} classes have objects to cut out, and "
            f"{len(backgrounds)} pictures have none of them; expected some of both. Choose fewer "
            "classes with --class-names, or a larger set"
        )
    return Pictures(dataset, dict(sorted(candidates.items())), backgrounds)


def is_worth_cutting_out(annotation: dict[str, Any], size: tuple[int, int]) -> bool:
    """Whether an object is whole, large, and finely outlined, as far as its annotation tells."""
    x, y, width, height = annotation["bbox"]
    polygons = annotation["segmentation"]
    return bool(
        not annotation.get("iscrowd")
        and min(width, height) >= LEAST_SIDE
        and annotation["area"] >= LEAST_FILL * width * height
        and min(x, y, size[1] - x - width, size[0] - y - height) >= LEAST_MARGIN
        # What is hidden in part is often annotated in several parts.
        and (isinstance(polygons, dict) or len(polygons) == 1)
        and (isinstance(polygons, dict) or len(polygons[0]) >= 2 * LEAST_CORNERS)
    )


def draw_scene(pictures: Pictures, settings: Settings, rng: np.random.Generator) -> list[Layer]:
    """The background and the objects in front of it, from back to front."""
    low, high = settings.objects
    count = int(rng.integers(low, high + 1))
    groups = list(pictures.candidates.values())
    cast = draw_look_alikes(groups[int(rng.integers(len(groups)))], count - 1, rng)
    while len(cast) < count:
        # The same object twice could not be told apart; that is left to very small sets.
        unused = [[candidate for candidate in group if candidate not in cast] for group in groups]
        choices = [group for group in unused if group] or groups
        group = choices[int(rng.integers(len(choices)))]
        cast.append(group[int(rng.integers(len(group)))])
    layers = [_draw_background(pictures, settings, rng)]
    height, width = settings.size
    meeting_place = rng.uniform(0.25, 0.75, 2) * [width, height]
    for index in rng.permutation(len(cast)).tolist():
        cutout = cut_out(pictures.dataset, cast[index])
        picture, course = _set_off(cutout, meeting_place, settings, rng)
        layers.append(Layer(picture, course, cast[index].picture, cast[index].label))
    return layers


def draw_look_alikes(
    candidates: Sequence[Candidate], most: int, rng: np.random.Generator
) -> list[Candidate]:
    """Objects of one class, all different; often from one picture, where they look most alike."""
    order = [candidates[index] for index in rng.permutation(len(candidates)).tolist()]
    if rng.random() < SIBLING_SHARE:
        picture = order[0].picture
        order.sort(key=lambda candidate: candidate.picture != picture)
    return order[: max(1, most)]


def send_out(
    places: NDArray[np.float64], radius: float, width: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(W, 2) places, some of them moved out of sight over the nearer side; one stays."""
    is_outside = rng.random(len(places)) < OUTSIDE_SHARE
    is_outside[int(rng.integers(len(places)))] = False
    beyond = np.where(places[:, 0] > width / 2, width + radius, -radius)
    return np.column_stack([np.where(is_outside, beyond, places[:, 0]), places[:, 1]])


def cut_out(dataset: CocoImages, candidate: Candidate) -> Image.Image:
    """RGBA: what is inside the mask, less its outermost pixels, which often show the background."""
    (sample,) = dataset[candidate.picture]
    row = sample.targets.ids.tolist().index(candidate.annotation)
    mask = Image.fromarray(sample.targets.masks[row].numpy().astype(np.uint8) * 255)
    alpha = mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(0.7))
    picture = Image.fromarray(sample.image.permute(1, 2, 0).contiguous().numpy())
    picture.putalpha(alpha)
    x1, y1, x2, y2 = mask.getbbox() or (0, 0, *mask.size)
    return picture.crop((x1 - 2, y1 - 2, x2 + 2, y2 + 2))


def expose(
    layers: Sequence[Layer], index: int, settings: Settings
) -> tuple[NDArray[np.uint8], Bitmaps]:
    """A frame, blurred by movement, and what is visible of each object in the middle of it.

    Returns:
        (H, W, 3) RGB and (N, H, W).
    """
    last = max(1, settings.length - 1)
    moments = [(index + shift) / last for shift in (-SHUTTER / 2, SHUTTER / 2, 0.0)]
    pictures, coverages = zip(*(_paint(layers, m, settings.size) for m in moments), strict=True)
    total = np.stack([np.asarray(picture) for picture in pictures]).sum(axis=0, dtype=np.uint16)
    visible = np.zeros_like(coverages[-1])
    hidden = np.zeros(settings.size, dtype=bool)
    for row in reversed(range(len(visible))):
        visible[row] = coverages[-1][row] & ~hidden
        hidden |= coverages[-1][row]
    return (total // len(moments)).astype(np.uint8), visible


def _draw_background(pictures: Pictures, settings: Settings, rng: np.random.Generator) -> Layer:
    """A picture that is larger than the video, and the camera's way over it."""
    source = pictures.backgrounds[int(rng.integers(len(pictures.backgrounds)))]
    picture = _picture(pictures.dataset, source)
    height, width = settings.size
    scale = max(width / picture.width, height / picture.height) * rng.uniform(1.05, 1.4)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    slack = np.array([picture.width - width, picture.height - height]) / 2
    centers = np.array([width, height]) / 2 + rng.uniform(-slack, slack, (2, 2))
    if rng.random() < STILL_SHARE:
        centers[1] = centers[0]
    return Layer(picture, Course(np.pad(centers, ((0, 0), (0, 3)))), source, -1)


def _set_off(
    cutout: Image.Image,
    meeting_place: NDArray[np.float64],
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Image.Image, Course]:
    """An object in the largest size that it will have, and its way."""
    side = rng.uniform(*SIDES) * settings.size[0]
    scale = min(LARGEST_ENLARGEMENT, side / max(cutout.size))
    size = max(2, round(cutout.width * scale)), max(2, round(cutout.height * scale))
    picture = cutout.resize(size, Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    count = 2 + settings.length // FRAMES_PER_STRETCH
    places = _draw_places(count, meeting_place, settings.size, rng)
    waypoints = [
        send_out(places, math.hypot(*size) / 2, settings.size[1], rng),
        np.log(rng.uniform(SHRINKAGE, 1.0, (count, 1))),
        rng.uniform(-LARGEST_ANGLE, LARGEST_ANGLE, (count, 1)),
        rng.uniform(-LARGEST_STRETCH, LARGEST_STRETCH, (count, 1)),
    ]
    return picture, Course(np.concatenate(waypoints, axis=1))


def _draw_places(
    count: int,
    meeting_place: NDArray[np.float64],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(W, 2): a walk inside the video, drawn to a place where all objects meet."""
    sides = np.array([size[1], size[0]], dtype=float)
    places = [rng.uniform(0.1, 0.9, 2) * sides]
    while len(places) < count:
        pull = MEETING_PULL * (meeting_place - places[-1])
        step = rng.uniform(-LONGEST_STEP, LONGEST_STEP, 2) * sides
        places.append((places[-1] + pull + step).clip(0.1 * sides, 0.9 * sides))
    return np.array(places)


def _picture(dataset: CocoImages, position: int) -> Image.Image:
    (sample,) = dataset[position]
    return Image.fromarray(sample.image.permute(1, 2, 0).contiguous().numpy())


def _paint(
    layers: Sequence[Layer], moment: float, size: tuple[int, int]
) -> tuple[Image.Image, Bitmaps]:
    """The picture at a moment, and (N, H, W) what each object covers, seen or not."""
    canvas = Image.new("RGB", (size[1], size[0]))
    covered = np.zeros((len(layers) - 1, *size), dtype=bool)
    for number, layer in enumerate(layers):
        moved, (left, top) = _move(layer.picture, layer.course.at(moment), size)
        canvas.paste(moved, (left, top), moved if number else None)
        if number:
            alpha = np.asarray(moved.getchannel("A")) >= 128
            covered[number - 1, top : top + moved.height, left : left + moved.width] = alpha
    return canvas, covered


def _move(
    picture: Image.Image, place: NDArray[np.float64], size: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int]]:
    """A picture scaled and turned, and where its left top corner lies in the video."""
    x, y, log_scale, degrees, log_stretch = place.tolist()
    stretch = math.exp(log_stretch / 2)
    scale = np.exp(log_scale) * np.array([stretch, 1 / stretch])
    radius = math.hypot(*picture.size) / 2 * scale.max() + 1
    left, right = (min(max(0, round(side)), size[1]) for side in (x - radius, x + radius))
    top, bottom = (min(max(0, round(side)), size[0]) for side in (y - radius, y + radius))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    inverse = np.array([[cos, sin], [-sin, cos]]) / scale[:, None]
    corner = inverse @ [left - x, top - y] + np.array(picture.size) / 2
    moved = picture.transform(
        (right - left, bottom - top),
        Image.Transform.AFFINE,
        np.column_stack([inverse, corner]).ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    return moved, (left, top)


def _annotate(track: Sequence[rle.Rle]) -> dict[str, Any]:
    """What YouTube-VIS says of one object: null for frames in which nothing of it is visible."""
    areas = [rle.area(mask) for mask in track]
    return {
        "segmentations": [mask if area else None for mask, area in zip(track, areas, strict=True)],
        "bboxes": [
            rle.to_box(mask) if area else None for mask, area in zip(track, areas, strict=True)
        ],
        "areas": [area or None for area in areas],
    }


def _save_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=90)


def _parse(argv: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("out", type=Path, help="folder to write to")
    files: dict[str, Any] = {"nargs": 2, "type": Path, "metavar": ("IMAGES", "JSON")}
    add("--train", **files, required=True, help="the set that train videos are made of")
    add("--valid", **files, help="another one for valid videos (default: a quarter of the first)")
    add("--class-names", nargs="+", default=[], help="categories or supercategories to cut out")
    add("--num-train", type=_count, default=200, help="train videos (default: 200)")
    add("--num-valid", type=_count, default=60, help="valid videos (default: 60)")
    add("--length", type=_count, default=24, help="frames of a video (default: 24)")
    pair: dict[str, Any] = {"nargs": 2, "type": _count}
    add("--size", **pair, default=(360, 640), metavar=("H", "W"), help="(default: 360 640)")
    many = ("FEWEST", "MOST")
    add("--objects", **pair, default=(2, 6), metavar=many, help="in a video (default: 2 6)")
    add("--seed", type=int, default=0, help="of every random draw (default: 0)")
    args = parser.parse_args(argv)
    if args.objects[0] > args.objects[1]:
        parser.error(f"--objects: the fewest are more than the most: {args.objects}")
    return parser, args


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def _open(args: argparse.Namespace) -> tuple[Pictures, Pictures]:
    """The pictures of the train videos, and other ones of the valid videos."""
    train = CocoImages(*args.train, class_names=args.class_names)
    if args.valid is not None:
        valid = CocoImages(*args.valid, class_names=args.class_names)
        shared = _paths(train) & _paths(valid)
        if shared:
            raise DataError(
                f"{min(shared)}: is in both sets; leave out --valid to split the first one"
            )
        return find_pictures(train, range(len(train))), find_pictures(valid, range(len(valid)))
    order = np.random.default_rng(args.seed).permutation(len(train)).tolist()
    held_out = round(HELD_OUT_SHARE * len(train))
    return find_pictures(train, order[held_out:]), find_pictures(train, order[:held_out])


def _paths(dataset: CocoImages) -> set[Path]:
    images = dataset.ground_truth()["images"]
    return {(dataset.folder / image["file_name"]).resolve() for image in images}


def main(argv: Sequence[str] | None = None) -> None:
    """Make the videos that the command line asks for."""
    parser, args = _parse(argv)
    settings = Settings(tuple(args.size), args.length, tuple(args.objects), args.seed)
    try:
        train, valid = _open(args)
        for split, pictures, number in (
            ("train", train, args.num_train),
            ("valid", valid, args.num_valid),
        ):
            content = make_split(args.out, split, pictures, number, settings)
            print(f"{split}: {number} videos, {len(content['annotations'])} objects")
    except (QivisError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
