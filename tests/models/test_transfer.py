"""What a network takes over from another one."""

from dataclasses import replace

import pytest
import torch

from qivis.errors import WeightsError
from qivis.models.build import build_model
from qivis.models.transfer import transfer
from qivis.structures import Categories, Category
from tests.tiny import FEATURIZED, TINY, tiny_model

OLD = Categories((Category(1, "person"), Category(43, "tennis racket"), Category(17, "cat")))
NEW = Categories(
    tuple(Category(i, n) for i, n in enumerate(["owl", "Tennis_Racket", "cat", "ape"]))
)


@pytest.mark.parametrize("config", [TINY, FEATURIZED], ids=["learned", "featurized"])
def test_classes_of_one_name_keep_their_rows_and_new_ones_start_anew(config) -> None:
    source, target = tiny_model(config), build_model(config, len(NEW))
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    assert transfer(source, OLD, target, NEW) == ("Tennis_Racket", "cat")
    old, new = source.state_dict(), target.state_dict()
    layers = [name for name in new if new[name].shape[:1] == (4,) and old[name].shape[:1] == (3,)]
    assert {"stages.0.class_logits.weight", "mask_heads.1.logits.bias"} <= set(layers)
    for name in layers:
        assert torch.equal(new[name][[1, 2]], old[name][[1, 2]])
        assert torch.equal(new[name][[0, 3]], before[name][[0, 3]])
    for name in new.keys() - set(layers):
        assert torch.equal(new[name], old[name]), name


def test_an_association_head_is_taken_over_if_it_is_the_same() -> None:
    with_head = replace(TINY, association="mlp", embedding_width=6)
    source = tiny_model(with_head, seed=1)
    for config, same in ((with_head, True), (replace(with_head, embedding_width=7), False)):
        target = tiny_model(config, seed=2)
        before = target.association.layers[0].weight.clone()
        transfer(source, OLD, target, OLD)
        after = target.association.layers[0].weight
        assert torch.equal(after, source.association.layers[0].weight) == same
        assert torch.equal(after, before) != same


def test_an_image_model_starts_a_video_model_and_the_other_way_round() -> None:
    image, video = tiny_model(TINY, seed=1), tiny_model(replace(TINY, association="mlp"), seed=2)
    transfer(image, OLD, video, OLD)
    assert torch.equal(video.fpn.lateral[0].weight, image.fpn.lateral[0].weight)
    other = tiny_model(TINY, seed=3)
    transfer(video, OLD, other, OLD)
    assert torch.equal(other.fpn.lateral[0].weight, image.fpn.lateral[0].weight)


def test_networks_that_differ_otherwise_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"weights differ in shape, queries\.boxes\.weight"):
        transfer(tiny_model(), OLD, tiny_model(replace(TINY, num_queries=9)), OLD)
