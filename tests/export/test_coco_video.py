import json

import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from qivis.data.youtube_vis import YouTubeVis
from qivis.export.coco_video import write_coco_video
from tests.tracked_clip import CATEGORIES, NUM_FRAMES, empty_clip, frames, masks, tracked_clip


@pytest.fixture
def path(tmp_path):
    write_coco_video(tracked_clip(), "dog", tmp_path / "coco_video.json")
    return tmp_path / "coco_video.json"


def test_pycocotools_reads_the_exact_masks_back_image_by_image(path, capsys):
    coco = COCO(path)
    read = {}
    for image_id in coco.getImgIds():
        frame = coco.imgs[image_id]["frame_id"]
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image_id)):
            pixels = torch.from_numpy(coco.annToMask(annotation)).bool()
            read[frame, annotation["instance_id"] - 1] = pixels
            assert annotation["area"] == pixels.sum()
    expected = masks()
    assert list(read) == list(expected)
    assert all(torch.equal(read[key], expected[key]) for key in expected)


def test_images_and_annotations_are_counted_from_one_and_frames_from_zero(path):
    content = json.loads(path.read_text())
    assert [image["id"] for image in content["images"]] == [1, 2, 3, 4, 5]
    assert [image["frame_id"] for image in content["images"]] == [0, 1, 2, 3, 4]
    assert [annotation["id"] for annotation in content["annotations"]] == [1, 2, 3, 4, 5, 6]
    assert content["videos"] == [{"id": 1, "name": "dog", "height": 12, "width": 17}]
    first = content["annotations"][0]
    assert (first["image_id"], first["video_id"], first["category_id"]) == (1, 1, 18)
    assert first["bbox"] == [2, 1, 7, 5]
    assert first["score"] == 0.5


def test_the_project_reads_it_as_a_data_set_to_train_on(path, tmp_path):
    (tmp_path / "dog").mkdir()
    for frame in frames():
        picture = Image.fromarray(frame.image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / "dog" / f"{frame.index:05d}.jpg")
    videos = YouTubeVis(tmp_path, path)
    assert videos.categories == CATEGORIES
    assert videos.length(0) == NUM_FRAMES
    assert videos.annotated_frames(0) == [0, 1, 3, 4]
    targets = videos.frame_sample(0, 1).targets
    assert targets.ids.tolist() == [1, 5]
    assert torch.equal(targets.masks, torch.stack([masks()[1, 0], masks()[1, 4]]))


def test_a_clip_without_objects_has_its_images(tmp_path):
    write_coco_video(empty_clip(), "dog", tmp_path / "coco_video.json")
    content = json.loads((tmp_path / "coco_video.json").read_text())
    assert (len(content["images"]), content["annotations"]) == (2, [])
