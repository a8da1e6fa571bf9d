"""Pictures of any size become one batch."""

import torch

from qivis.config.schema import InputConfig
from qivis.models.inputs import prepare, resize_for_test
from tests.tiny import noise

CONFIG = InputConfig(short_side=64, long_side=96, pixel_mean=(1, 2, 3), pixel_std=(2, 4, 8))


def test_every_picture_gets_the_test_size_of_its_shape() -> None:
    resized = resize_for_test([noise((128, 128)), noise((100, 300)), noise((30, 20))], CONFIG)
    assert [tuple(image.shape) for image in resized] == [(3, 64, 64), (3, 32, 96), (3, 96, 64)]


def test_a_batch_remembers_what_is_picture_and_what_is_padding() -> None:
    images = [noise((40, 50)), noise((64, 33))]
    batch = prepare(images, CONFIG)
    assert (batch.tensor.shape, batch.sizes) == ((2, 3, 64, 64), ((40, 50), (64, 33)))
    expected = (images[0].float() - torch.tensor([[[1]], [[2]], [[3]]])) / torch.tensor(
        [[[2]], [[4]], [[8]]]
    )
    assert torch.equal(batch.tensor[0, :, :40, :50], expected)
    assert not batch.tensor[0, :, 40:].any()
