"""Pictures that show the same, in words."""

from pathlib import Path

from qivis.structures.data_check import Alike, ListedPicture


def test_each_set_is_named_once() -> None:
    listed = [("train", "image 1"), ("val", "image 7"), ("train", "image 2")]
    pictures = tuple(ListedPicture(s, name, Path("x") / f"{name[-1]}.png") for s, name in listed)
    expected = "train: image 1 (1.png) = image 2 (2.png) = val: image 7 (7.png)"
    assert str(Alike(pictures, 1.0, is_leak=True)) == expected
