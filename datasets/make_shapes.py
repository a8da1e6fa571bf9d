"""Make a tiny data set of moving shapes: COCO images, YouTube-VIS videos, and a clip as mp4.

    python datasets/make_shapes.py datasets/shapes [--seed 0]

It has the official layouts and every form that their annotations take: polygons of one and of
two parts, run lengths as numbers and as a string, a crowd, an image without objects, objects that
are absent from frames. The same seed gives the same pictures and annotations.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

# The ids have gaps, as COCO's have, so that a mix-up of ids and class indices shows.
CATEGORIES = (
    {"id": 1, "name": "circle", "supercategory": "round"},
    {"id": 3, "name": "square", "supercategory": "angular"},
    {"id": 7, "name": "triangle", "supercategory": "angular"},
)
COLORS = {1: (200, 60, 50), 3: (60, 180, 80), 7: (70, 90, 210)}  # RGB, so that training is quick
CORNERS = {1: 24, 3: 4, 7: 3}
FRAMES_PER_SECOND = 10

Bitmap = NDArray[np.bool_]


@dataclass(frozen=True)
class Shape:
    """One object.

    center, velocity: (x, y) in pixels, and pixels a frame.
    radius: pixels from the centre to a corner.
    angle: radians.
    """

    category_id: int
    center: tuple[float, float]
    radius: float
    angle: float
    velocity: tuple[float, float] = (0.0, 0.0)

    def after(self, frames: int) -> "Shape":
        """The shape as it is some frames later."""
        x, y = (c + frames * v for c, v in zip(self.center, self.velocity, strict=True))
        return replace(self, center=(x, y))

    def corners(self) -> NDArray[np.float64]:
        """(V, 2), x y in pixels."""
        count = CORNERS[self.category_id]
        angles = self.angle + 2 * np.pi * np.arange(count) / count
        offsets = self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(self.center) + offsets

    def bitmap(self, size: tuple[int, int]) -> Bitmap:
        """(H, W): the pixels whose centres lie inside."""
        corners = self.corners()
        y, x = np.mgrid[: size[0], : size[1]] + 0.5
        inside = np.ones(size, dtype=bool)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            inside &= (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) >= 0
        return inside


def make_shapes(
    out: Path,
    seed: int = 0,
    num_images: int = 8,
    num_videos: int = 2,
    length: int = 8,
    size: tuple[int, int] = (64, 96),
) -> None:
    """Write the data set.

    Args:
        out: the folder; it gets `train2017/`, `val2017/` and `annotations/` as COCO has them,
            `ytvis/{train,valid}/` with `JPEGImages/` and `instances.json` as YouTube-VIS has them,
            and `clip.mp4`, the first of the valid videos.
        seed: of every random draw.
        num_images: in each of train and val; from 4 on every kind of annotation occurs.
        num_videos: in each of train and valid.
        length: frames of a video.
        size: (H, W) of all pictures, even numbers.
    """
    rng = np.random.default_rng(seed)
    for split in ("train2017", "val2017"):
        _write_coco(out, split, num_images, size, rng)
    for split in ("train", "valid"):
        videos = [_draw_movement(rng, size, length) for _ in range(num_videos)]
        _write_youtube_vis(out / "ytvis" / split, videos, size, rng)
    frames = sorted((out / "ytvis" / "valid" / "JPEGImages" / "video1").glob("*.jpg"))
    _write_clip(out / "clip.mp4", [np.asarray(Image.open(path)) for path in frames])


def _write_coco(
    out: Path, split: str, num_images: int, size: tuple[int, int], rng: np.random.Generator
) -> None:
    images, annotations = [], list[dict[str, Any]]()
    for index in range(num_images):
        name = f"{index + 1:012d}.jpg"
        shapes = _draw_side_by_side((4, 3, 0, 2)[index % 4], size, rng)
        _save_jpeg(out / split / name, _paint(shapes, size, rng))
        images.append({"id": index + 1, "file_name": name, "height": size[0], "width": size[1]})
        for number, shape in enumerate(shapes):
            is_crowd = index % 4 == 1 and number == 0
            form = "numbers" if is_crowd else ("polygon", "halves", "numbers", "string")[number]
            ids = {"id": len(annotations) + 1, "image_id": index + 1, "iscrowd": int(is_crowd)}
            annotations.append(ids | _annotate(shape, size, form))
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    _save_json(out / "annotations" / f"instances_{split}.json", content)


def _draw_side_by_side(count: int, size: tuple[int, int], rng: np.random.Generator) -> list[Shape]:
    """Up to four shapes, each in a quarter of the picture, so that none hides another."""
    height, width = size
    quarters = rng.permutation([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)])
    return [
        Shape(
            category_id=int(rng.choice(list(CORNERS))),
            center=(x * width, y * height),
            radius=rng.uniform(0.6, 1.0) * min(size) / 4,
            angle=rng.uniform(0, 2 * np.pi),
        )
        for x, y in quarters[:count]
    ]


def _annotate(shape: Shape, size: tuple[int, int], form: str) -> dict[str, Any]:
    """What COCO says of one object, its mask in the given form."""
    bitmap = shape.bitmap(size)
    forms = {
        "polygon": [shape.corners().ravel().tolist()],
        "halves": _halves(shape.corners()),
        "numbers": _run_lengths(bitmap),
        "string": _compressed(bitmap),
    }
    return {
        "category_id": shape.category_id,
        "segmentation": forms[form],
        "area": int(bitmap.sum()),
        "bbox": _box(bitmap),
    }


def _halves(corners: NDArray[np.float64]) -> list[list[float]]:
    """Two polygons, cut from the first corner to the middle of the edge across."""
    middle = len(corners) // 2
    cut = corners[middle : middle + 2].mean(axis=0, keepdims=True)
    first = np.concatenate([corners[: middle + 1], cut])
    second = np.concatenate([cut, corners[middle + 1 :], corners[:1]])
    return [first.ravel().tolist(), second.ravel().tolist()]


def _run_lengths(bitmap: Bitmap) -> dict[str, Any]:
    """Uncompressed RLE: lengths of runs down the columns, the first one of zeros."""
    flat = bitmap.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0)).tolist()
    counts = np.diff([0, *changes, flat.size]).tolist()
    return {"size": list(bitmap.shape), "counts": counts}


def _compressed(bitmap: Bitmap) -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    return {"size": list(bitmap.shape), "counts": rle["counts"].decode("ascii")}


def _box(bitmap: Bitmap) -> list[int]:
    """[x, y, width, height] around the set pixels."""
    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def _draw_movement(
    rng: np.random.Generator, size: tuple[int, int], length: int
) -> list[list[Shape]]:
    """T frames of two shapes that cross in the middle of the video and one that comes in late."""
    height, width = size
    radius = min(size) / 5
    kinds = rng.permutation(list(CORNERS)).tolist()
    step = width / 2 / length
    starts = [
        (width / 4, height / 2 - 4),
        (width * 3 / 4, height / 2 + 4),
        (width / 2, -height / 2),
    ]
    velocities = [(step, 0.0), (-step, 0.0), (0.0, height / length)]
    shapes = [
        Shape(kind, start, radius, rng.uniform(0, 2 * np.pi), velocity)
        for kind, start, velocity in zip(kinds, starts, velocities, strict=True)
    ]
    return [[shape.after(frame) for shape in shapes] for frame in range(length)]


def _write_youtube_vis(
    out: Path,
    videos: Sequence[list[list[Shape]]],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    entries, annotations = [], list[dict[str, Any]]()
    height, width = size
    for video_id, frames in enumerate(videos, start=1):
        names = [f"video{video_id}/{index:05d}.jpg" for index in range(len(frames))]
        for name, shapes in zip(names, frames, strict=True):
            _save_jpeg(out / "JPEGImages" / name, _paint(shapes, size, rng))
        entries.append(
            {"id": video_id, "height": height, "width": width, "length": len(frames)}
            | {"file_names": names}
        )
        tracks = zip(*(_visible(shapes, size) for shapes in frames), strict=True)
        for shape, bitmaps in zip(frames[0], tracks, strict=True):
            annotations.append(
                {"id": len(annotations) + 1, "video_id": video_id, "iscrowd": 0}
                | {"category_id": shape.category_id, "height": height, "width": width}
                | _annotate_track(bitmaps)
            )
    content = {"videos": entries, "annotations": annotations, "categories": CATEGORIES}
    _save_json(out / "instances.json", content)


def _annotate_track(bitmaps: Sequence[Bitmap]) -> dict[str, Any]:
    """What YouTube-VIS says of one object: null for frames in which nothing of it is visible."""
    return {
        "segmentations": [_run_lengths(b) if b.any() else None for b in bitmaps],
        "bboxes": [_box(b) if b.any() else None for b in bitmaps],
        "areas": [int(b.sum()) if b.any() else None for b in bitmaps],
    }


def _visible(shapes: Sequence[Shape], size: tuple[int, int]) -> list[Bitmap]:
    """The part of each shape that no later one covers."""
    covered = np.zeros(size, dtype=bool)
    visible = []
    for shape in reversed(shapes):
        bitmap = shape.bitmap(size)
        visible.append(bitmap & ~covered)
        covered |= bitmap
    return visible[::-1]


def _paint(
    shapes: Sequence[Shape], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the shapes on grey noise, later ones in front."""
    picture = np.repeat(rng.integers(90, 140, (*size, 1)), 3, axis=2)
    for shape in shapes:
        bitmap = shape.bitmap(size)
        color = np.array(COLORS[shape.category_id])
        picture[bitmap] = color + rng.integers(-15, 16, (bitmap.sum(), 3))
    return picture.astype(np.uint8)


def _save_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)


def _save_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_clip(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> None:
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Make the data set in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="of every random draw (default: 0)")
    args = parser.parse_args()
    make_shapes(args.out, args.seed)
    print(args.out)


if __name__ == "__main__":
    main()
