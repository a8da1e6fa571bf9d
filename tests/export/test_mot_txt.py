import pytest

from qivis.export.mot_txt import write_mot
from tests.tracked_clip import NUM_FRAMES, empty_clip, masks, tracked_clip


@pytest.fixture
def path(tmp_path):
    write_mot(tracked_clip(), tmp_path / "mot.txt")
    return tmp_path / "mot.txt"


def test_everything_is_counted_from_one(path):
    assert path.read_text().splitlines() == [
        "1,1,3,2,7,5,0.5000,-1,-1,-1",
        "2,1,4,2,7,5,0.5000,-1,-1,-1",
        "2,5,9,5,9,7,0.7500,-1,-1,-1",
        "4,5,1,1,1,1,0.7500,-1,-1,-1",
        "5,5,1,4,9,9,0.7500,-1,-1,-1",
        "5,8,16,9,2,2,0.2500,-1,-1,-1",
    ]


def test_boxes_lie_tight_around_the_masks(path):
    lines = path.read_text().splitlines()
    for line, ((frame, track_id), mask) in zip(lines, masks().items(), strict=True):
        number, identity, left, top, width, height = map(int, line.split(",")[:6])
        assert (number, identity) == (frame + 1, track_id + 1)
        rows, columns = mask.nonzero(as_tuple=True)
        assert (left, top) == (columns.min() + 1, rows.min() + 1)
        assert (left + width - 1, top + height - 1) == (columns.max() + 1, rows.max() + 1)


def test_the_reader_of_trackeval_takes_it(path, tmp_path):
    datasets = pytest.importorskip("trackeval.datasets")
    (tmp_path / "qivis" / "data").mkdir(parents=True)
    path.rename(tmp_path / "qivis" / "data" / "clip.txt")
    (tmp_path / "gt" / "clip" / "gt").mkdir(parents=True)
    (tmp_path / "gt" / "clip" / "gt" / "gt.txt").touch()
    reader = datasets.MotChallenge2DBox(
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
    assert [ids.tolist() for ids in raw["tracker_ids"]] == [[1], [1, 5], [], [5], [5, 8]]
    assert raw["tracker_dets"][4].tolist() == [[1, 4, 9, 9], [16, 9, 2, 2]]
    assert raw["tracker_confidences"][1].tolist() == [0.5, 0.75]


def test_a_clip_without_objects_is_an_empty_file(tmp_path):
    write_mot(empty_clip(), tmp_path / "mot.txt")
    assert (tmp_path / "mot.txt").read_text() == ""
