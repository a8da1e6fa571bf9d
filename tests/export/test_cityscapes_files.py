import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from qivis.errors import DataError
from qivis.export.cityscapes_files import (
    check_class_names,
    class_ids,
    write_cityscapes,
    write_picture,
)
from qivis.ops import rle
from qivis.structures import Categories, Category
from tests.tracked_clip import LOST, NUM_FRAMES, SIZE, empty_clip, mask, tracked_clip


def lines(folder, frame):
    """Of a frame of a clip called `my clip`: path, class and score of each mask."""
    text = (folder / f"my-clip_000000_{frame:06d}.txt").read_text()
    return [line.split(" ") for line in text.splitlines()]


def test_a_picture_is_a_list_and_a_mask_of_one_bit_for_each_object(tmp_path):
    first, empty, last = (np.zeros((3, 4), dtype=bool) for _ in range(3))
    first[1, 2] = last[:, 0] = True
    given = [(26, 0.75, first), (24, 0.5, empty), (33, 0.1, last)]
    codes = rle.encode(torch.from_numpy(np.stack([mask for *_, mask in given])))
    coded = [(number, score, code) for (number, score, _), code in zip(given, codes, strict=True)]
    write_picture(tmp_path, "ulm_0_1", coded)
    text = (tmp_path / "ulm_0_1.txt").read_text()
    assert text == "ulm_0_1/000.png 26 0.75\nulm_0_1/001.png 33 0.1\n"
    for name, expected in [("000", first), ("001", last)]:
        with Image.open(tmp_path / "ulm_0_1" / f"{name}.png") as picture:
            assert picture.mode == "1"
            assert np.array_equal(np.array(picture), expected)


def test_frames_of_a_clip_list_the_objects_of_known_classes(tmp_path, caplog):
    """Track 0 is a dog, 4 a person, 7 a vehicle: Cityscapes knows the person."""
    folder = tmp_path / "cityscapes"
    with caplog.at_level(logging.WARNING):
        write_cityscapes(tracked_clip(), "my clip", folder)
    assert "2 of 3 tracks left out, for Cityscapes has no class dog, vehicle" in caplog.text
    assert len(list(folder.glob("*.txt"))) == NUM_FRAMES
    assert [len(lines(folder, frame)) for frame in range(NUM_FRAMES)] == [0, 1, 0, 1, 1]
    assert lines(folder, LOST) == []
    ((path, class_id, score),) = lines(folder, 4)
    assert (class_id, float(score)) == ("24", 0.75)
    with Image.open(folder / path) as picture:
        assert torch.equal(torch.from_numpy(np.array(picture)), mask(4, 4))


def test_nothing_is_said_where_all_classes_are_known(tmp_path, caplog):
    names = Categories((Category(1, "Car"), Category(2, "rider"), Category(3, "bus")))
    clip = replace(tracked_clip(), categories=names)
    write_cityscapes(clip, "my clip", tmp_path / "out")
    assert sorted(class_id for _, class_id, _ in lines(tmp_path / "out", 4)) == ["26", "28"]
    assert caplog.text == ""


def test_a_clip_without_objects_has_empty_lists(tmp_path):
    write_cityscapes(empty_clip(), "¿?", tmp_path / "out")
    written = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.txt")}
    assert written == {"clip_000000_000000.txt": "", "clip_000000_000001.txt": ""}


def test_classes_are_found_by_name():
    assert class_ids(["bicycle", "dog", "Person"]) == [33, None, 24]


def test_no_known_class_at_all_is_refused():
    check_class_names(["dog", "train"])
    with pytest.raises(DataError, match=r"none of the 2 classes .*it has person, rider"):
        check_class_names(["dog", "cat"])


def test_masks_are_as_large_as_the_frames(tmp_path):
    write_cityscapes(tracked_clip(), "a", tmp_path / "out")
    with Image.open(tmp_path / "out" / "a_000000_000001" / "000.png") as picture:
        assert picture.size == (SIZE[1], SIZE[0])
