"""A COCO train and val set with one fault of every kind."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (64, 96)
CATEGORIES = [
    {"id": 4, "name": "cat", "supercategory": "animal"},
    {"id": 6, "name": "dog", "supercategory": "animal"},
    {"id": 9, "name": "cup", "supercategory": "thing"},
]
# kind: pictures or annotations of it
FAULTS = {
    "rejected annotation": "annotation 19",
    "missing picture": "image 3",
    "wrong size": "image 4",
    "unreadable picture": "image 6",
    "duplicate": "image 1 (one.png) = image 2 (two.png)",
    "leak": "image 5 (empty.png) = val2017: image 1 (leak.png)",
}
SIMILAR = "train2017: image 8 (eight.png) = val2017: image 3 (near.jpg)"


def make_faulty_sets(root: Path) -> None:
    """`annotations/instances_{train,val}2017.json` and the folders of pictures.

    Train: two pictures of the same file, one missing, one lower than annotated, one with only a
    crowd, one that is none, one with a side below 32 px, one as it should be. Val: two of these
    once more, one stored in another way and one as a JPEG, and one as it should be.
    """
    train, val = root / "train2017", root / "val2017"
    for folder in (train, val, root / "annotations"):
        folder.mkdir(parents=True)
    for seed, name in ((1, "one"), (1, "two"), (4, "short"), (5, "empty"), (8, "eight")):
        landscape(seed).save(train / f"{name}.png")
    landscape(4).crop((0, 0, 96, 60)).save(train / "short.png")
    landscape(7).resize((30, 20)).save(train / "small.png")
    (train / "broken.png").write_bytes(b"no picture")
    landscape(5).save(val / "leak.png", compress_level=0)
    landscape(2).save(val / "clean.png")
    landscape(8).save(val / "near.jpg", quality=80)

    names = ["one", "two", "missing", "short", "empty", "broken", "small", "eight"]
    images = [picture(i, f"{name}.png") for i, name in enumerate(names, start=1)]
    images[6] |= {"height": 20, "width": 30}
    annotations = [
        annotation(11, 1, 4, [10, 10, 10, 10]),
        annotation(12, 1, 6, [30, 10, 40, 40]),
        annotation(13, 1, 9, [0, 0, 5, 5]),
        annotation(14, 2, 4, [10, 10, 10, 10]),
        annotation(15, 3, 4, [10, 10, 10, 10]),
        annotation(16, 5, 6, [0, 0, 50, 50], iscrowd=1),
        annotation(17, 7, 4, [2, 2, 20, 10]),
        annotation(18, 8, 6, [-5, 0, 5.5, 8]),
        annotation(19, 8, 77, [10, 10, 10, 10]),
    ]
    write_coco(root / "annotations/instances_train2017.json", images, annotations)
    images = [picture(1, "leak.png"), picture(2, "clean.png"), picture(3, "near.jpg")]
    annotations = [annotation(1, 2, 4, [0, 0, 96, 64]), annotation(2, 2, 9, [0, 0, 5, 5])]
    write_coco(root / "annotations/instances_val2017.json", images, annotations)


def landscape(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth colours, other ones for every seed; size: (H, W)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC)


def picture(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]}


def annotation(
    number: int, image_id: int, category_id: int, box: Sequence[float], iscrowd: int = 0
) -> dict[str, Any]:
    x, y, w, h = box
    outline = [x, y, x + w, y, x + w, y + h, x, y + h]
    ids = {"id": number, "image_id": image_id, "category_id": category_id, "iscrowd": iscrowd}
    return ids | {"bbox": list(box), "area": w * h, "segmentation": [outline]}


def write_coco(
    path: Path, images: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]]
) -> None:
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    path.write_text(json.dumps(content))
