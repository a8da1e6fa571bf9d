import numpy as np
from PIL import Image

from qivis.export.png_files import write_indexed, write_mask, write_rgba


def test_a_mask_is_read_back(tmp_path):
    mask = np.random.default_rng(0).random((5, 7)) < 0.5
    write_mask(tmp_path / "a.png", mask)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "1"
        assert np.array_equal(np.array(picture), mask)


def test_indices_and_palette_are_read_back(tmp_path):
    indices = np.arange(256, dtype=np.uint8).reshape(8, 32)
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    write_indexed(tmp_path / "a.png", indices, palette)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture), indices)
        assert np.array_equal(np.array(picture.convert("RGB")), palette[indices])


def test_colours_and_opacity_are_read_back(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    pixels[0, :, 3] = 0
    write_rgba(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGBA"
        assert np.array_equal(np.array(picture), pixels)
