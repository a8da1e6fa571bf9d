"""One colour per track, the same in every picture, and far from those of its neighbours."""

import math

import numpy as np

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # multiples of it never crowd on a circle
LIGHTNESSES = (0.74, 0.80, 0.84, 0.64, 0.68)  # in turn; hues come close after 8, 13, 21 ... ids
CHROMA = 0.17
FIRST_HUE = 0.44  # radians; a warm red

# OKLab to the cube roots of the cone responses, and these to linear sRGB: Ottosson 2020,
# https://bottosson.github.io/posts/oklab/
TO_CONES = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def color(track_id: int) -> tuple[int, int, int]:
    """The colour of a track, as sRGB from 0 to 255.

    All are about equally light to the eye, and light enough for dark text.
    """
    hue = FIRST_HUE + track_id * GOLDEN_ANGLE
    lightness = LIGHTNESSES[track_id % len(LIGHTNESSES)]
    lab = np.array([lightness, CHROMA * math.cos(hue), CHROMA * math.sin(hue)])
    linear = np.clip(TO_RGB @ (TO_CONES @ lab) ** 3, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(255 * encoded).astype(int).tolist()
    return red, green, blue
