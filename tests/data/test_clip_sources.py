"""Where clips come from, on the moving shapes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from qivis.config.schema import ClipConfig
from qivis.data.clip_sources import MovedClips, StillClips, VideoClips
from qivis.data.coco import CocoImages
from qivis.data.youtube_vis import YouTubeVis


@pytest.fixture
def images(shapes: Path) -> CocoImages:
    return CocoImages(shapes / "train2017", shapes / "annotations" / "instances_train2017.json")


@pytest.fixture
def videos(shapes: Path) -> YouTubeVis:
    folder = shapes / "ytvis" / "train"
    return YouTubeVis(folder / "JPEGImages", folder / "instances.json")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_still_is_the_picture_as_it_is(images: CocoImages, rng: np.random.Generator) -> None:
    stills = StillClips(images, [5, 3])
    assert len(stills) == 2
    assert stills.size(1) == images.size(3)
    (sample,) = stills.clip(1, rng)
    assert torch.equal(sample.image, images[3][0].image)


def test_a_moved_picture_shows_its_objects_in_other_places(
    images: CocoImages, rng: np.random.Generator
) -> None:
    moved = MovedClips(StillClips(images, [3]), length=3)
    clip = moved.clip(0, rng)
    (still,) = images[3]
    assert len(clip) == 3
    assert all(set(s.targets.ids.tolist()) <= set(still.targets.ids.tolist()) for s in clip)
    assert not torch.equal(clip[0].image, clip[1].image)
    assert moved.size(0) == images.size(3)


def test_a_moved_picture_takes_the_classes_it_is_mixed_with(
    images: CocoImages, rng: np.random.Generator
) -> None:
    (still,) = images[3]
    known = int(still.targets.labels[0])
    clip = MovedClips(StillClips(images, [3]), 2, {known: 9}).clip(0, rng)
    assert {label for sample in clip for label in sample.targets.labels.tolist()} == {9}


def test_every_frame_that_shows_an_object_is_a_key(videos: YouTubeVis) -> None:
    clips = VideoClips(videos, ClipConfig())
    assert len(clips) == sum(len(videos.annotated_frames(video)) for video in range(len(videos)))
    assert clips.size(0) == videos.size(0)


def test_a_video_clip_is_drawn_around_its_key(videos: YouTubeVis, rng: np.random.Generator) -> None:
    forwards = VideoClips(videos, ClipConfig(length=3, reach=2, reverse_probability=0.0))
    keys = [(v, frame) for v in range(len(videos)) for frame in videos.annotated_frames(v)]
    index = next(i for i, (_, frame) in enumerate(keys) if frame == 3)
    pictures = [videos.frame_sample(keys[index][0], frame).image for frame in range(8)]
    for _ in range(10):
        clip = forwards.clip(index, rng)
        frames = [next(f for f in range(8) if torch.equal(pictures[f], s.image)) for s in clip]
        assert len(frames) == 3
        assert 3 in frames
        assert frames == sorted(frames)
        assert set(frames) <= {1, 2, 3, 4, 5}


def test_a_clip_may_run_backwards(videos: YouTubeVis) -> None:
    forwards = VideoClips(videos, ClipConfig(reverse_probability=0.0))
    backwards = VideoClips(videos, ClipConfig(reverse_probability=1.0))
    first, second = (c.clip(4, np.random.default_rng(1)) for c in (forwards, backwards))
    assert torch.equal(first[0].image, second[1].image)
    assert torch.equal(first[1].image, second[0].image)
