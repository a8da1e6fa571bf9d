"""Videos, their frames and clips, on the moving shapes (real pictures in the official layout)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from qivis.data.youtube_vis import YouTubeVis
from qivis.errors import DataError
from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.ops.boxes import xyxy_to_xywh


@pytest.fixture
def folder(shapes: Path) -> Path:
    return shapes / "ytvis" / "train"


@pytest.fixture
def videos(folder: Path) -> YouTubeVis:
    return YouTubeVis(folder / "JPEGImages", folder / "instances.json")


@pytest.fixture
def content(folder: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((folder / "instances.json").read_text())
    return parsed


def with_first_object(content: dict[str, Any], folder: Path, **fields: Any) -> Path:
    """The annotations of a file, the first of them changed, as another file."""
    changed = [content["annotations"][0] | fields, *content["annotations"][1:]]
    path = folder / "changed.json"
    path.write_text(json.dumps(content | {"annotations": changed}))
    return path


def test_videos_are_described_as_in_the_file(videos: YouTubeVis) -> None:
    assert len(videos) == 2
    assert videos.categories.names == ("circle", "square", "triangle")
    assert [videos.video_id(video) for video in range(2)] == [1, 2]
    assert (videos.length(1), videos.size(1)) == (8, (64, 96))


def test_a_frame_has_the_annotated_objects_that_are_seen(
    videos: YouTubeVis, content: dict[str, Any]
) -> None:
    for index in range(8):
        targets = videos.frame_sample(1, index).targets
        seen = [
            a
            for a in content["annotations"]
            if a["video_id"] == 2 and a["areas"][index] is not None
        ]
        assert targets.ids.tolist() == [a["id"] for a in seen]
        ids = [videos.categories.entries[label].id for label in targets.labels.tolist()]
        assert ids == [a["category_id"] for a in seen]
        assert targets.masks.sum((1, 2)).tolist() == [a["areas"][index] for a in seen]
        assert xyxy_to_xywh(targets.boxes).tolist() == [a["bboxes"][index] for a in seen]


def test_masks_lie_where_the_picture_shows_the_object(videos: YouTubeVis) -> None:
    sample = videos.frame_sample(0, 0)
    strongest = {"circle": 0, "square": 1, "triangle": 2}  # red, green, blue
    assert len(sample.targets) == 2
    for mask, label in zip(sample.targets.masks, sample.targets.labels.tolist(), strict=True):
        color = sample.image[:, mask].float().mean(dim=1)
        assert int(color.argmax()) == strongest[videos.categories.names[label]]


def test_a_clip_has_the_frames_in_the_given_order(videos: YouTubeVis) -> None:
    clip = videos.clip(0, (5, 2))
    assert torch.equal(clip[0].image, videos.frame_sample(0, 5).image)
    assert torch.equal(clip[1].image, videos.frame_sample(0, 2).image)
    assert set(clip[1].targets.ids.tolist()) <= set(clip[0].targets.ids.tolist())


def test_frames_of_inference_are_all_pictures_in_order(videos: YouTubeVis, folder: Path) -> None:
    frames = list(videos.frames(1))
    assert [frame.index for frame in frames] == list(range(8))
    assert frames[3].seconds == pytest.approx(0.5)  # 6 frames a second
    with Image.open(folder / "JPEGImages" / "video2" / "00003.jpg") as picture:
        assert frames[3].size == (picture.height, picture.width)
    assert torch.equal(frames[3].image, videos.frame_sample(1, 3).image)


@pytest.mark.parametrize("ignore_regions", [False, True])
def test_a_crowd_is_no_object(
    content: dict[str, Any], folder: Path, tmp_path: Path, ignore_regions: bool
) -> None:
    path = with_first_object(content, tmp_path, iscrowd=1)
    videos = YouTubeVis(folder / "JPEGImages", path, ignore_regions=ignore_regions)
    sample = videos.frame_sample(0, 0)
    crowd = content["annotations"][0]
    assert crowd["id"] not in sample.targets.ids.tolist()
    expected = [crowd["bboxes"][0]] if ignore_regions else []
    assert xyxy_to_xywh(sample.ignored).tolist() == expected


def test_annotated_frames_are_those_in_which_an_object_is_seen(
    content: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    first = content["annotations"][0]
    masks = [first["segmentations"][0], None, None, first["segmentations"][3], *[None] * 4]
    alone = content | {
        "annotations": [
            first | {"segmentations": masks},
            first | {"id": 99, "iscrowd": 1},
        ]
    }
    (tmp_path / "a.json").write_text(json.dumps(alone))
    videos = YouTubeVis(folder / "JPEGImages", tmp_path / "a.json")
    assert videos.annotated_frames(0) == [0, 3]
    assert videos.annotated_frames(1) == []


def test_a_set_without_annotations_gives_frames_without_objects(
    content: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    del content["annotations"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    videos = YouTubeVis(folder / "JPEGImages", tmp_path / "a.json")
    assert len(videos.frame_sample(0, 0).targets) == 0
    assert next(videos.frames(0)).size == (64, 96)
    assert videos.ground_truth()["annotations"] == []


def test_the_truth_as_its_own_result_is_perfect(videos: YouTubeVis) -> None:
    truth = videos.ground_truth()
    results = [
        {"score": 0.9} | {key: a[key] for key in ("video_id", "category_id", "segmentations")}
        for a in truth["annotations"]
    ]
    assert [annotation["id"] for annotation in truth["annotations"]] == [1, 2, 3, 4, 5, 6]
    assert evaluate_youtube_vis(truth, results).stats[0] == pytest.approx(1.0)


def test_the_truth_evaluates_as_the_file_does(
    videos: YouTubeVis, content: dict[str, Any], folder: Path
) -> None:
    half = [
        {"score": 0.5, "video_id": a["video_id"], "category_id": a["category_id"]}
        | {"segmentations": [*a["segmentations"][:4], *[None] * 4]}
        for a in content["annotations"]
    ]
    ours = evaluate_youtube_vis(videos.ground_truth(), half)
    assert ours.stats == evaluate_youtube_vis(folder / "instances.json", half).stats


def test_the_truth_of_joined_classes_has_their_ids(folder: Path) -> None:
    videos = YouTubeVis(
        folder / "JPEGImages", folder / "instances.json", class_names=("angular", "round")
    )
    truth = videos.ground_truth()
    assert truth["categories"] == [{"id": 1, "name": "angular"}, {"id": 2, "name": "round"}]
    assert {a["category_id"] for a in truth["annotations"]} == {1, 2}


def test_a_missing_picture_is_named(folder: Path, tmp_path: Path) -> None:
    videos = YouTubeVis(tmp_path, folder / "instances.json")
    with pytest.raises(DataError, match=r"video1/00000\.jpg: cannot be read"):
        videos.frame_sample(0, 0)
