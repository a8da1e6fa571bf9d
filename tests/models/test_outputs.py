"""What the network's parts hand to one another has the promised shapes."""

import torch

from qivis.config.schema import InputConfig
from qivis.models.inputs import prepare
from tests.tiny import FEATURIZED, NUM_CLASSES, TINY, noise, tiny_model

SIZES = ((64, 96), (40, 50))
IMAGES = prepare([noise(size) for size in SIZES], InputConfig())


def test_every_stage_says_the_same_of_every_query() -> None:
    with torch.no_grad():
        prediction = tiny_model(TINY)(IMAGES)
    for output in prediction.stages:
        assert output.logits.shape == (2, 8, NUM_CLASSES)
        assert output.boxes.shape == (2, 8, 4)
        assert output.queries.shape == output.mask_queries.shape == (2, 8, 32)


def test_the_pyramid_has_four_strides_and_is_laid_out_in_rows() -> None:
    with torch.no_grad():
        prediction = tiny_model(TINY)(IMAGES)
    assert [tuple(level.shape) for level in prediction.pyramid] == [
        (2, 32, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ]
    assert prediction.rows.rows.shape == (2 * (16 * 24 + 8 * 12 + 4 * 6 + 2 * 3), 32)
    assert torch.equal(prediction.rows.rows[16 * 24], prediction.pyramid[0][1, :, 0, 0])
    assert prediction.sizes == SIZES


def test_only_featurized_queries_have_dense_proposals() -> None:
    with torch.no_grad():
        learned = tiny_model(TINY)(IMAGES).initial
        featurized = tiny_model(FEATURIZED)(IMAGES).initial
    locations = 8 * 12 + 4 * 6 + 2 * 3
    assert learned.dense == ()
    (dense,) = featurized.dense
    assert dense.logits.shape == (2, locations, NUM_CLASSES)
    assert dense.boxes.shape == (2, locations, 4)
    assert (dense.centres.shape, dense.strides.shape) == ((locations, 2), (locations,))
