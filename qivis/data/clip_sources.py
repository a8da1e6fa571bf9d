"""What training clips are drawn from: pictures, pictures set in motion, and videos.

Every source has positions; a position and a generator of random numbers give a clip.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from qivis.config.schema import ClipConfig
from qivis.data.cityscapes import CityscapesImages
from qivis.data.clip_sampling import draw_direction, draw_frames
from qivis.data.coco import CocoImages
from qivis.data.pseudo_clips import pseudo_clip, relabel
from qivis.data.youtube_vis import YouTubeVis
from qivis.structures import Clip

ImageSet = CocoImages | CityscapesImages


class ClipSource(Protocol):
    """Clips of T frames by position."""

    def __len__(self) -> int:
        """How many positions there are."""

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of what a position shows, in pixels."""

    def name(self, index: int) -> str:
        """What the annotations call it."""

    def clip(self, index: int, rng: np.random.Generator) -> Clip:
        """A clip of a position; every draw comes from `rng`."""


class StillClips:
    """Pictures as clips of one frame."""

    def __init__(self, images: ImageSet, chosen: Sequence[int]) -> None:
        """Args: chosen: positions in the set of the pictures that are used."""
        self._images = images
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def size(self, index: int) -> tuple[int, int]:
        """See `ClipSource`."""
        return self._images.size(self._chosen[index])

    def name(self, index: int) -> str:
        """See `ClipSource`."""
        return f"image {self._images.image_id(self._chosen[index])}"

    def clip(self, index: int, rng: np.random.Generator) -> Clip:
        """See `ClipSource`; nothing is drawn."""
        del rng
        return self._images[self._chosen[index]]


class MovedClips:
    """Pictures as clips of T frames, as if a shaking camera had filmed them (IDOL, SeqFormer)."""

    def __init__(
        self, stills: StillClips, length: int, labels: Mapping[int, int] | None = None
    ) -> None:
        """Args: length: T. labels: of the classes to learn, by label; by default the same ones."""
        self._stills = stills
        self._length = length
        self._labels = labels

    def __len__(self) -> int:
        return len(self._stills)

    def size(self, index: int) -> tuple[int, int]:
        """See `ClipSource`; of the picture, whose shape the clip has."""
        return self._stills.size(index)

    def name(self, index: int) -> str:
        """See `ClipSource`; of the picture."""
        return self._stills.name(index)

    def clip(self, index: int, rng: np.random.Generator) -> Clip:
        """See `ClipSource`."""
        (sample,) = self._stills.clip(index, rng)
        if self._labels is not None:
            sample = relabel(sample, self._labels)
        return pseudo_clip(sample, self._length, rng)


class VideoClips:
    """Frames of videos; a position is a key frame, in which at least one object is seen."""

    def __init__(self, videos: YouTubeVis, config: ClipConfig) -> None:
        """Args: config: how many frames around a key frame make up a clip, and from how far."""
        self._videos = videos
        self._config = config
        self._keys = [
            (video, frame)
            for video in range(len(videos))
            for frame in videos.annotated_frames(video)
        ]

    def __len__(self) -> int:
        return len(self._keys)

    def size(self, index: int) -> tuple[int, int]:
        """See `ClipSource`."""
        return self._videos.size(self._keys[index][0])

    def name(self, index: int) -> str:
        """See `ClipSource`; of the key frame."""
        video, frame = self._keys[index]
        return f"video {self._videos.video_id(video)} frame {frame}"

    def clip(self, index: int, rng: np.random.Generator) -> Clip:
        """See `ClipSource`."""
        video, key = self._keys[index]
        config, length = self._config, self._videos.length(video)
        frames = draw_frames(key, length, config.length, config.reach, rng)
        return self._videos.clip(video, draw_direction(frames, config.reverse_probability, rng))
