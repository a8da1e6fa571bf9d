"""Make the demo clip: a person, another person and a cat in front of a motorcycle.

    python datasets/make_demo_clip.py qivis/assets/demo.mp4

The clip is put together from four photographs that scikit-image and matplotlib bring along, so it
can be made again anywhere and belongs to no data set. The camera moves in on the motorcycle, the
two persons come in from both sides and cross, and the cat looks in close to the lens:

- the motorcycle in a garage: Middlebury stereo benchmark 2014, by D. Scharstein, H. Hirschmueller,
  Y. Kitajima, G. Krathwohl, N. Nesic, X. Wang and P. Westling ("High-resolution stereo datasets
  with subpixel-accurate ground truth", GCPR 2014); its authors grant the permission to use and
  publish all images (vision.middlebury.edu/stereo/data); `skimage/data/motorcycle_left.png`
- the astronaut Eileen Collins: NASA, public domain; `skimage/data/astronaut.png`
- Chelsea the cat: Stefan van der Walt, CC0; `skimage/data/chelsea.png`
- Commodore Grace M. Hopper: United States Navy, public domain;
  `matplotlib/mpl-data/sample_data/grace_hopper.jpg`
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from qivis.viz import VideoWriter

WIDTH, HEIGHT = 640, 360
FPS = Fraction(25)
NUM_FRAMES = 160
SMOOTHING = 4  # outlines are drawn this much larger, then shrunk
SHADOW = 0.4  # opacity of what a person casts on the garage
BACKGROUND = ("skimage", "data/motorcycle_left.png")
# Where the camera looks at first and at last: left, top and width in pixels of the photograph.
FIRST_VIEW, LAST_VIEW = (0.0, 45.0, 741.0), (70.0, 78.0, 630.0)

# Outlines, x and y in pixels of the photographs, drawn by hand.
# fmt: off
ASTRONAUT = (
    (231, 16), (245, 18), (260, 23), (276, 30), (287, 39), (295, 53), (299, 69), (302, 86),
    (299, 101), (293, 113), (285, 122), (278, 129), (275, 135), (270, 137), (267, 134), (264, 143),
    (262, 152), (258, 160), (256, 168), (255, 173), (263, 178), (276, 187), (287, 199), (296, 211),
    (301, 223), (304, 234), (307, 235), (319, 243), (330, 252), (339, 262), (345, 272), (350, 283),
    (353, 293), (357, 305), (359, 317), (362, 330), (362, 340), (366, 349), (378, 346), (393, 344),
    (407, 343), (422, 346), (440, 353), (455, 362), (468, 373), (478, 384), (486, 397), (491, 410),
    (495, 428), (497, 445), (502, 453), (503, 459), (506, 468), (507, 478), (511, 485), (511, 505),
    (505, 512), (42, 512), (35, 498), (29, 482), (25, 464), (23, 450), (23, 440), (21, 425),
    (19, 410), (19, 396), (23, 380), (25, 366), (25, 350), (30, 333), (33, 318), (38, 303),
    (41, 292), (45, 280), (51, 268), (58, 256), (66, 245), (72, 240), (84, 231), (95, 221),
    (105, 212), (112, 206), (113, 200), (116, 196), (112, 190), (114, 186), (120, 187), (122, 180),
    (127, 169), (136, 158), (149, 151), (165, 148), (184, 148), (183, 140), (181, 131), (176, 129),
    (172, 122), (170, 115), (163, 110), (158, 102), (155, 92), (154, 78), (154, 66), (158, 56),
    (166, 49), (175, 43), (184, 37), (190, 32), (195, 26), (204, 22), (216, 19),
)
HOPPER = (
    (174, 84), (177, 73), (184, 62), (193, 53), (205, 45), (218, 40), (223, 31), (233, 26),
    (249, 23), (262, 23), (278, 27), (291, 33), (298, 39), (301, 41), (312, 44), (326, 49),
    (338, 57), (347, 69), (353, 84), (358, 86), (363, 87), (368, 94), (369, 108), (371, 131),
    (371, 148), (369, 166), (368, 181), (373, 185), (376, 193), (375, 205), (372, 217), (368, 232),
    (365, 249), (363, 262), (360, 275), (355, 290), (347, 301), (339, 308), (331, 305), (332, 316),
    (345, 329), (361, 341), (385, 349), (406, 358), (431, 367), (452, 373), (472, 382), (488, 390),
    (495, 396), (500, 412), (507, 430), (511, 445), (512, 600), (10, 600), (14, 565), (19, 520),
    (24, 470), (27, 435), (30, 418), (36, 405), (42, 394), (49, 384), (58, 379), (67, 372),
    (85, 364), (111, 360), (132, 354), (150, 348), (169, 342), (184, 333), (194, 321), (202, 312),
    (203, 306), (193, 297), (180, 292), (172, 285), (166, 278), (163, 267), (165, 258), (168, 250),
    (164, 243), (161, 235), (160, 227), (157, 217), (154, 206), (154, 196), (152, 186), (150, 175),
    (149, 155), (150, 135), (152, 118), (157, 103), (166, 92),
)
CAT = (
    (0, 0), (400, 0), (394, 11), (386, 20), (381, 30), (378, 42), (374, 52), (367, 64), (359, 75),
    (356, 82), (355, 92), (357, 100), (362, 110), (366, 120), (365, 130), (365, 140), (364, 150),
    (360, 160), (355, 172), (349, 185), (341, 194), (335, 202), (327, 210), (320, 217), (315, 225),
    (312, 235), (311, 245), (309, 255), (306, 267), (301, 280), (296, 291), (293, 300), (0, 300),
)
# fmt: on


@dataclass(frozen=True)
class Sprite:
    """Something cut out of a photograph.

    package, path: where the photograph is.
    outline: x and y in its pixels.
    scale: pixels of the clip for each of the photograph.
    softness: of the edge, in pixels of the clip.
    """

    package: str
    path: str
    outline: tuple[tuple[int, int], ...]
    scale: float
    softness: float


SPRITES = {
    "astronaut": Sprite("skimage", "data/astronaut.png", ASTRONAUT, 0.54, 0.6),
    "hopper": Sprite("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", HOPPER, 0.41, 0.6),
    "cat": Sprite("skimage", "data/chelsea.png", CAT, 1.26, 2.5),
}


def render(index: int) -> NDArray[np.uint8]:
    """Frame `index` of the clip, (H, W, 3) RGB."""
    moment = index / (NUM_FRAMES - 1)
    picture = _look_at_background(moment)
    for name, shadow in (("hopper", SHADOW), ("astronaut", SHADOW), ("cat", SHADOW / 2)):
        left, top = _place_of(name, moment)
        layer = _moved(_cut_out(name), left, top)
        picture.paste((0, 0, 0), mask=_shadow_of(layer, shadow))
        picture.paste(layer, mask=layer)
    return np.array(picture)


def _look_at_background(moment: float) -> Image.Image:
    """The camera moves in slowly."""
    eased = _ease(moment, 0.0, 1.0)
    left, top, width = (
        first + eased * (last - first) for first, last in zip(FIRST_VIEW, LAST_VIEW, strict=True)
    )
    box = (left, top, left + width, top + width * HEIGHT / WIDTH)
    return _photograph(*BACKGROUND).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box)


def _place_of(name: str, moment: float) -> tuple[float, float]:
    """Left and top of a sprite; those who walk go up and down with each step."""
    width, height = _cut_out(name).size
    step = 4 * abs(math.sin(14 * math.pi * moment))
    if name == "astronaut":
        return WIDTH + 10 - (WIDTH - 220) * _ease(moment, 0.0, 0.7), HEIGHT - height + 5 - step
    if name == "hopper":
        return -width + (WIDTH - 10) * _ease(moment, 0.08, 0.85), HEIGHT - height + 5 - step
    inside = 440 * _ease(moment, 0.5, 0.72) - 345 * _ease(moment, 0.84, 1.0)
    return inside - width, (HEIGHT - height) / 2 + 5 * math.sin(9 * moment)


def _ease(moment: float, start: float, end: float) -> float:
    """From 0 at `start` to 1 at `end`, gently at both."""
    share = min(max((moment - start) / (end - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)


@cache
def _photograph(package: str, path: str) -> Image.Image:
    with as_file(files(package) / path) as file:
        return Image.open(file).convert("RGB")


@cache
def _cut_out(name: str) -> Image.Image:
    """RGBA, scaled, with a soft edge."""
    sprite = SPRITES[name]
    photograph = _photograph(sprite.package, sprite.path)
    width, height = photograph.size
    large = Image.new("L", (SMOOTHING * width, SMOOTHING * height))
    corners = [(SMOOTHING * x, SMOOTHING * y) for x, y in sprite.outline]
    ImageDraw.Draw(large).polygon(corners, fill=255)
    size = round(sprite.scale * width), round(sprite.scale * height)
    outline = large.resize(size, Image.Resampling.BOX)
    result = photograph.resize(size, Image.Resampling.LANCZOS)
    result.putalpha(outline.filter(ImageFilter.GaussianBlur(sprite.softness)))
    return result


def _moved(sprite: Image.Image, left: float, top: float) -> Image.Image:
    """A layer of the size of the clip, with the sprite at fractions of a pixel."""
    inverse = (1.0, 0.0, -left, 0.0, 1.0, -top)
    return sprite.transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC
    )


def _shadow_of(layer: Image.Image, opacity: float) -> Image.Image:
    """A soft shadow, a little to the right and below."""
    shifted = layer.getchannel("A").transform(
        layer.size, Image.Transform.AFFINE, (1, 0, -9, 0, 1, -5)
    )
    return shifted.filter(ImageFilter.GaussianBlur(9)).point(lambda alpha: opacity * alpha)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the clip to the file that the command line names."""
    parser = argparse.ArgumentParser(description="Make the demo clip.")
    parser.add_argument("out", type=Path, help="mp4 to write")
    out = parser.parse_args(arguments).out
    with VideoWriter(out, (HEIGHT, WIDTH), FPS) as writer:
        for index in range(NUM_FRAMES):
            writer.write(render(index), float(index / FPS))
    print(out)


if __name__ == "__main__":
    main()
