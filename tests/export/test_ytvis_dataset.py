import json

import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from qivis.data.youtube_vis import YouTubeVis
from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.export.tracks_json import write_tracks
from qivis.export.ytvis_dataset import write_ytvis
from tests.tracked_clip import CATEGORIES, NUM_FRAMES, empty_clip, frames, masks, tracked_clip


@pytest.fixture
def path(tmp_path):
    write_ytvis(tracked_clip(), "dog", tmp_path / "ytvis.json")
    return tmp_path / "ytvis.json"


def test_pycocotools_reads_the_exact_masks_back(path):
    read = {}
    for annotation in json.loads(path.read_text())["annotations"]:
        for frame, segmentation in enumerate(annotation["segmentations"]):
            if segmentation:
                compressed = coco_mask.frPyObjects(segmentation, 12, 17)  # takes lists alone
                pixels = torch.from_numpy(coco_mask.decode(compressed)).bool()
                read[frame, annotation["track_id"]] = pixels
                assert annotation["areas"][frame] == pixels.sum()
                x, y, width, height = map(int, annotation["bboxes"][frame])
                assert pixels[y : y + height, x : x + width].sum() == pixels.sum()
            else:
                assert annotation["bboxes"][frame] is annotation["areas"][frame] is None
    expected = masks()
    assert read.keys() == expected.keys()
    assert all(torch.equal(read[key], expected[key]) for key in expected)


def test_annotations_have_all_that_the_official_format_has(path):
    content = json.loads(path.read_text())
    assert {"info", "videos", "categories", "annotations"} <= content.keys()
    first = content["annotations"][0]
    assert (first["id"], first["video_id"], first["category_id"], first["iscrowd"]) == (1, 1, 18, 0)
    assert (first["height"], first["width"], first["length"]) == (12, 17, 5)
    assert [annotation["id"] for annotation in content["annotations"]] == [1, 5, 8]
    (video,) = content["videos"]
    assert video["file_names"][4] == "dog/00004.jpg"
    assert (video["id"], video["height"], video["width"], video["length"]) == (1, 12, 17, 5)


def test_the_project_reads_it_as_a_data_set_to_train_on(path, tmp_path):
    (tmp_path / "dog").mkdir()
    for frame in frames():
        picture = Image.fromarray(frame.image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / "dog" / f"{frame.index:05d}.jpg")
    videos = YouTubeVis(tmp_path, path)
    assert videos.categories == CATEGORIES
    assert (len(videos), videos.length(0), videos.size(0)) == (1, NUM_FRAMES, (12, 17))
    assert videos.annotated_frames(0) == [0, 1, 3, 4]
    targets = videos.frame_sample(0, 4).targets
    assert targets.ids.tolist() == [5, 8]
    assert targets.labels.tolist() == [0, 2]
    assert torch.equal(targets.masks, torch.stack([masks()[4, 4], masks()[4, 7]]))


def test_measured_against_itself_a_clip_is_perfect(path, tmp_path):
    write_tracks(tracked_clip(), tmp_path / "tracks.json")
    assert evaluate_youtube_vis(path, tmp_path / "tracks.json").stats[0] == pytest.approx(1)


def test_a_clip_without_objects_is_a_video_without_annotations(tmp_path):
    write_ytvis(empty_clip(), "dog", tmp_path / "ytvis.json")
    assert json.loads((tmp_path / "ytvis.json").read_text())["annotations"] == []
    assert YouTubeVis(tmp_path, tmp_path / "ytvis.json").annotated_frames(0) == []
