"""Fingerprints: equal for equal pixels, alike for copies, and neither for other pictures."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from qivis.data import picture_hashes
from qivis.data.picture_hashes import LIKENESS, fingerprint, similar_pairs
from tests.faulty_sets import landscape


def pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return Image.open(content)


def test_the_digest_is_of_size_and_pixels() -> None:
    image = pixels(landscape(0))
    digest = fingerprint(image).digest
    assert fingerprint(image.contiguous().clone()).digest == digest
    assert fingerprint(image.reshape(3, 96, 64)).digest != digest
    changed = image.clone()
    changed[2, 63, 95] ^= 1
    assert fingerprint(changed).digest != digest


def test_a_thumbnail_has_no_mean_and_unit_length() -> None:
    thumbnail = fingerprint(pixels(landscape(0))).thumbnail
    assert thumbnail.shape == (256,)
    assert thumbnail.mean() == pytest.approx(0, abs=1e-6)
    assert (thumbnail**2).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(as_jpeg(landscape(0), 50), id="of lower quality"),
        pytest.param(landscape(0).resize((48, 32)), id="of half the size"),
        pytest.param(landscape(0).point(lambda value: 20 + 0.8 * value), id="paler"),
    ],
)
def test_copies_are_similar_but_not_the_same(copy: Image.Image) -> None:
    prints = [fingerprint(pixels(picture)) for picture in (landscape(1), landscape(0), copy)]
    ((first, second, likeness),) = similar_pairs(prints, [0, 1, 2])
    assert (first, second) == (1, 2)
    assert LIKENESS <= likeness <= 1
    assert prints[1].digest != prints[2].digest


def test_other_pictures_and_mirrored_ones_are_not_similar() -> None:
    pictures = [pixels(landscape(seed)) for seed in range(30)]
    pictures += [picture.flip(-1) for picture in pictures]
    assert similar_pairs([fingerprint(picture) for picture in pictures], range(60)) == []


def test_flat_pictures_are_like_nothing() -> None:
    noise = torch.randint(0, 2, (2, 3, 64, 96), dtype=torch.uint8)
    assert similar_pairs([fingerprint(noise[0]), fingerprint(noise[0])], [0, 1]) == []


def test_frames_of_one_video_are_not_compared_and_two_videos_have_one_pair() -> None:
    near, far = as_jpeg(landscape(0), 90), as_jpeg(landscape(0), 30)
    prints = [fingerprint(pixels(p)) for p in (landscape(0), far, near, landscape(3), far)]
    ((first, second, _),) = similar_pairs(prints, [7, 7, 8, 8, 8])
    assert (first, second) == (1, 4)  # the same file


def test_pairs_are_found_across_blocks_the_likest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [landscape(seed) for seed in range(5)]
    pictures += [as_jpeg(pictures[1], 20), as_jpeg(pictures[0], 95)]
    prints = [fingerprint(pixels(picture)) for picture in pictures]
    expected = similar_pairs(prints, range(7))
    assert [pair[:2] for pair in expected] == [(0, 6), (1, 5)]
    monkeypatch.setattr(picture_hashes, "ROWS", 2)
    assert [pair[:2] for pair in similar_pairs(prints, range(7))] == [(0, 6), (1, 5)]


def test_no_pictures_have_no_pairs() -> None:
    assert similar_pairs([], []) == []
