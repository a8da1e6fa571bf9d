"""A COCO set of red and green discs, which are easily cut out and pasted."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

RADIUS = 30
COLORS = {4: (220, 30, 30), 6: (30, 200, 30)}  # by category id


def make_discs(folder: Path) -> None:
    """Sixteen pictures and `a.json`: every other picture has a disc, the rest are empty."""
    images, annotations = [], []
    for number in range(1, 17):
        name = f"{number}.png"
        picture = Image.new("RGB", (160, 120), (60 + 8 * number,) * 3)
        if number % 2:
            category_id = (4, 6)[number // 2 % 2]
            polygon = _draw_disc(picture, category_id)
            box = [80 - RADIUS, 60 - RADIUS, 2 * RADIUS, 2 * RADIUS]
            annotations.append(
                {"id": 100 + number, "image_id": number, "category_id": category_id, "bbox": box}
                | {"segmentation": [polygon], "area": 2800, "iscrowd": 0}
            )
        picture.save(folder / name)
        images.append({"id": number, "file_name": name, "height": 120, "width": 160})
    categories = [{"id": 4, "name": "red"}, {"id": 6, "name": "green"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "a.json").write_text(json.dumps(content))


def _draw_disc(image: Image.Image, category_id: int) -> list[float]:
    """A disc in the middle, and its outline of 32 corners."""
    angles = np.arange(32) * np.pi / 16
    corners = np.stack([80 + RADIUS * np.cos(angles), 60 + RADIUS * np.sin(angles)], axis=1)
    ImageDraw.Draw(image).polygon([tuple(xy) for xy in corners.tolist()], COLORS[category_id])
    flat: list[float] = corners.ravel().tolist()
    return flat
