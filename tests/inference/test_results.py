import json
from fractions import Fraction

import av
import pytest
import torch

from qivis.data.video import VideoInfo
from qivis.errors import VideoError
from qivis.inference.results import OVERLAY, TRACKS, new_run_folder, write_results
from qivis.structures import Categories, Category, Frame, TrackedDetections

SIZE = (32, 48)
INFO = VideoInfo(num_frames=5, size=SIZE, fps=Fraction(10), seconds=0.5)
CATEGORIES = Categories((Category(5, "circle"), Category(9, "square")))


def named(*ids):
    """Objects whose mask is a row of the picture, as high as the id says."""
    masks = torch.zeros(len(ids), *SIZE, dtype=torch.bool)
    for mask, track_id in zip(masks, ids, strict=True):
        mask[8 * track_id : 8 * track_id + 8] = True
    return TrackedDetections(
        size=SIZE,
        boxes=torch.tensor([[0.0, 8.0 * i, 48.0, 8.0 * i + 8] for i in ids]).view(-1, 4),
        labels=torch.ones(len(ids), dtype=torch.int64),
        scores=torch.full((len(ids),), 0.5),
        masks=masks,
        embeddings=torch.zeros(len(ids), 4),
        track_ids=torch.tensor(ids, dtype=torch.int64),
        likeness=torch.ones(len(ids)),
    )


def stream():
    objects = [(0,), (0, 1), (0,), (), (0,)]
    for index, ids in enumerate(objects):
        yield Frame(torch.full((3, *SIZE), 40 * index, dtype=torch.uint8), index, 0.1), named(*ids)


def broken_stream():
    yield from stream()
    raise ValueError("the disk is gone")


def test_a_clip_leaves_a_video_and_its_tracks(tmp_path):
    results = write_results(stream(), INFO, CATEGORIES, tmp_path, min_frames=2)
    assert (results.num_frames, results.longest) == (5, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [OVERLAY, TRACKS]
    (entry,) = json.loads((tmp_path / TRACKS).read_text())
    assert (entry["track_id"], entry["category_id"], entry["category"]) == (0, 9, "square")
    assert [mask is not None for mask in entry["segmentations"]] == [True, True, True, False, True]
    with av.open(str(tmp_path / OVERLAY)) as video:
        assert len(list(video.decode(video=0))) == 5


def test_a_failure_midway_leaves_nothing(tmp_path):
    with (
        pytest.raises(ValueError, match="disk"),
        new_run_folder(tmp_path, "clip") as folder,
    ):
        write_results(broken_stream(), INFO, CATEGORIES, folder, min_frames=1)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_a_frame_leaves_nothing(tmp_path):
    with pytest.raises(VideoError, match="not one frame"):
        write_results([], INFO, CATEGORIES, tmp_path, min_frames=1)
    assert list(tmp_path.iterdir()) == []


def test_no_tracks_are_an_empty_list(tmp_path):
    results = write_results(list(stream())[3:4], INFO, CATEGORIES, tmp_path, min_frames=1)
    assert (results.tracks, results.longest) == ((), 0)
    assert json.loads((tmp_path / TRACKS).read_text()) == []


def test_run_folders_are_numbered_and_never_reused(tmp_path):
    names = []
    for _ in range(3):
        with new_run_folder(tmp_path / "runs", "clip") as folder:
            names.append(folder.name)
    assert names == ["clip", "clip-2", "clip-3"]


def test_a_file_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "clip").write_text("mine")
    with new_run_folder(tmp_path, "clip") as folder:
        assert folder == tmp_path / "clip-2"
    assert (tmp_path / "clip").read_text() == "mine"


def fail_in(folder, *, leaving=()):
    for name in leaving:
        (folder / name).write_text("kept")
    raise KeyboardInterrupt


@pytest.mark.parametrize("leaving", [(), ("file",)], ids=["empty", "full"])
def test_a_failed_run_takes_its_folder_away_if_it_is_empty(tmp_path, leaving):
    with pytest.raises(KeyboardInterrupt), new_run_folder(tmp_path, "clip") as folder:
        fail_in(folder, leaving=leaving)
    assert [path.name for path in tmp_path.rglob("*")] == (["clip", "file"] if leaving else [])
