from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from qivis.errors import DataError
from qivis.export.png_masks import palette, write_png_masks
from tests.tracked_clip import LOST, NUM_FRAMES, SIZE, empty_clip, masks, tracked_clip


def read(folder):
    """(T, H, W) values of the pictures of a folder."""
    pictures = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as picture:
            assert picture.mode == "P"
            pictures.append(np.array(picture))
    return torch.from_numpy(np.stack(pictures))


def test_values_are_track_ids_from_one_and_masks_are_exact(tmp_path):
    write_png_masks(tracked_clip(), tmp_path / "png")
    names = [path.name for path in sorted((tmp_path / "png").iterdir())]
    assert names == [f"0000{frame}.png" for frame in range(NUM_FRAMES)]
    expected = torch.zeros(NUM_FRAMES, *SIZE, dtype=torch.uint8)
    for (frame, track_id), mask in masks().items():
        expected[frame, mask] = track_id + 1  # 4 comes after 0, and is surer
    assert torch.equal(read(tmp_path / "png"), expected)
    assert not expected[LOST].any()


def test_what_two_objects_claim_goes_to_the_surer_one(tmp_path):
    clip = tracked_clip()
    surer = tuple(view and replace(view, score=0.9) for view in clip.tracks[0].views)
    tracks = (replace(clip.tracks[0], views=surer), *clip.tracks[1:])
    write_png_masks(replace(clip, tracks=tracks), tmp_path / "png")
    both = masks()[1, 0] & masks()[1, 4]
    assert both.any()
    assert (read(tmp_path / "png")[1][both] == 1).all()


def test_the_palette_is_that_of_davis():
    colors = palette()
    assert colors.shape == (256, 3)
    known = {  # rows of the table that PASCAL VOC and DAVIS publish
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    assert {index: tuple(colors[index].tolist()) for index in known} == known
    assert len(np.unique(colors, axis=0)) == 256


def test_an_id_beyond_the_palette_is_refused(tmp_path):
    clip = tracked_clip()
    last = replace(clip, tracks=(replace(clip.tracks[0], track_id=254),))
    write_png_masks(last, tmp_path / "png")
    assert read(tmp_path / "png")[0].max() == 255
    beyond = replace(clip, tracks=(replace(clip.tracks[0], track_id=255),))
    with pytest.raises(DataError, match=r"up to 254, but the clip has 255; .*mots"):
        write_png_masks(beyond, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_clip_without_objects_has_empty_pictures(tmp_path):
    write_png_masks(empty_clip(), tmp_path / "png")
    assert read(tmp_path / "png").shape == (2, *SIZE)
    assert not read(tmp_path / "png").any()
