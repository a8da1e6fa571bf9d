from dataclasses import replace

import pytest
import torch
from pycocotools import mask as coco_mask

from qivis.errors import DataError
from qivis.export.mots_txt import class_numbers, write_mots
from qivis.structures import Categories, Category
from tests.tracked_clip import BOXES, NUM_FRAMES, SIZE, empty_clip, masks, tracked_clip


@pytest.fixture
def path(tmp_path):
    write_mots(tracked_clip(), tmp_path / "mots.txt")
    return tmp_path / "mots.txt"


def expected_masks():
    """By frame and track: 4 is surer than 0, and keeps what both claim."""
    wanted = masks()
    wanted[1, 0] = wanted[1, 0] & ~wanted[1, 4]
    return wanted


def test_masks_without_their_overlaps_are_read_back_by_pycocotools(path):
    read = {}
    for line in path.read_text().splitlines():
        frame, identity, _, height, width, counts = line.split(" ")
        size = [int(height), int(width)]
        pixels = torch.from_numpy(coco_mask.decode({"size": size, "counts": counts})).bool()
        read[int(frame) - 1, int(identity) % 1000 - 1] = pixels
    expected = expected_masks()
    assert (masks()[1, 0] & masks()[1, 4]).any()
    assert list(read) == list(expected)
    assert all(torch.equal(read[key], expected[key]) for key in expected)


def test_an_id_says_its_class_as_in_kitti(path):
    rows = [line.split(" ")[:5] for line in path.read_text().splitlines()]
    height, width = map(str, SIZE)
    assert rows == [
        ["1", "3001", "3", height, width],  # a dog, which KITTI has no number for
        ["2", "3001", "3", height, width],
        ["2", "2005", "2", height, width],  # a person
        ["4", "2005", "2", height, width],
        ["5", "2005", "2", height, width],
        ["5", "1008", "1", height, width],  # a vehicle
    ]


def test_the_reader_of_trackeval_takes_it(path, tmp_path):
    datasets = pytest.importorskip("trackeval.datasets")
    (tmp_path / "qivis" / "data").mkdir(parents=True)
    path.rename(tmp_path / "qivis" / "data" / "clip.txt")
    (tmp_path / "gt" / "clip" / "gt").mkdir(parents=True)
    (tmp_path / "gt" / "clip" / "gt" / "gt.txt").touch()
    reader = datasets.MOTSChallenge(
        {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path),
            "TRACKERS_TO_EVAL": ["qivis"],
            "SEQ_INFO": {"clip": NUM_FRAMES},
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
        }
    )
    raw = reader._load_raw_file("qivis", "clip", is_gt=False)
    assert [ids.tolist() for ids in raw["tracker_ids"]] == [
        [3001],
        [3001, 2005],
        [],
        [2005],
        [2005, 1008],
    ]
    areas = [[int(coco_mask.area(mask)) for mask in found] for found in raw["tracker_dets"]]
    expected = expected_masks()
    assert areas == [
        [int(expected[frame, id].sum()) for id in BOXES if frame in BOXES[id]]
        for frame in range(NUM_FRAMES)
    ]


def test_an_object_of_which_nothing_is_left_is_not_listed(tmp_path):
    clip = tracked_clip()
    above, below = clip.tracks[1], replace(clip.tracks[0], views=clip.tracks[1].views)
    weak = tuple(view and replace(view, score=0.1) for view in below.views)
    write_mots(replace(clip, tracks=(replace(below, views=weak), above)), tmp_path / "mots.txt")
    ids = [line.split(" ")[1] for line in (tmp_path / "mots.txt").read_text().splitlines()]
    assert ids == ["2005"] * 3


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("person", "animal", "vehicle"), [2, 3, 1]),
        (("pedestrian", "car"), [2, 1]),
        (tuple("abcdefghij"), [3, 4, 5, 6, 7, 8, 9, 11, 12, 13]),
        ((), []),
    ],
    ids=["nano", "kitti", "many", "none"],
)
def test_classes_are_numbered_around_those_of_kitti(names, numbers):
    categories = Categories(tuple(Category(index, name) for index, name in enumerate(names)))
    assert class_numbers(categories) == numbers


def test_an_id_that_would_name_another_class_is_refused(tmp_path):
    clip = tracked_clip()
    write_mots(replace(clip, tracks=(replace(clip.tracks[0], track_id=998),)), tmp_path / "a.txt")
    assert " 3999 3 " in (tmp_path / "a.txt").read_text()
    late = replace(clip, tracks=(replace(clip.tracks[0], track_id=999),))
    with pytest.raises(DataError, match=r"b\.txt: .* up to 998, .* has 999; .*ytvis"):
        write_mots(late, tmp_path / "b.txt")
    assert not (tmp_path / "b.txt").exists()


def test_a_clip_without_objects_is_an_empty_file(tmp_path):
    write_mots(empty_clip(), tmp_path / "mots.txt")
    assert (tmp_path / "mots.txt").read_text() == ""
