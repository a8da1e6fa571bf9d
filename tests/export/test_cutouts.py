from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from qivis.errors import DataError, VideoError
from qivis.export.cutouts import write_cutouts
from tests.tracked_clip import empty_clip, frames, masks, tracked_clip


def test_each_object_and_frame_has_a_picture_as_large_as_its_mask(tmp_path):
    write_cutouts(tracked_clip(), frames, tmp_path / "cutouts")
    written = {
        path.relative_to(tmp_path / "cutouts").as_posix() for path in tmp_path.rglob("*.png")
    }
    assert written == {f"track_{id:04d}/{frame:05d}.png" for frame, id in masks()}
    images = {frame.index: frame.image for frame in frames()}
    for (frame, track_id), mask in masks().items():
        with Image.open(tmp_path / f"cutouts/track_{track_id:04d}/{frame:05d}.png") as picture:
            pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        rows, columns = mask.nonzero(as_tuple=True)
        window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert torch.equal(pixels[3] == 255, mask[window])
        assert ((pixels[3] == 0) | (pixels[3] == 255)).all()
        assert torch.equal(pixels[:3], (images[frame] * mask)[(slice(None), *window)])


def test_frames_after_the_last_object_are_not_decoded(tmp_path):
    clip = tracked_clip()

    def failing():
        for frame in frames():
            if frame.index > 1:
                raise VideoError("no more")
            yield frame

    write_cutouts(replace(clip, tracks=clip.tracks[:1]), failing, tmp_path / "cutouts")
    assert len(list(tmp_path.rglob("*.png"))) == 2


def test_a_frame_that_is_gone_is_named(tmp_path):
    def shorter():
        return (frame for frame in frames() if frame.index < 4)

    with pytest.raises(DataError, match="frame 4 has objects, but could not be decoded once more"):
        write_cutouts(tracked_clip(), shorter, tmp_path / "cutouts")
    assert list(tmp_path.iterdir()) == []


def test_another_clip_is_refused(tmp_path):
    def turned():
        return (replace(frame, image=frame.image.mT) for frame in frames())

    message = "expected frames of 17 x 12 pixels.* frame 0 has 12 x 17"
    with pytest.raises(DataError, match=message):
        write_cutouts(tracked_clip(), turned, tmp_path / "cutouts")
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_objects_is_an_empty_folder(tmp_path):
    write_cutouts(empty_clip(), frames, tmp_path / "cutouts")
    assert list((tmp_path / "cutouts").iterdir()) == []
