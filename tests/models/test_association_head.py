"""Embeddings of objects: which view of an object each form looks at."""

import pytest
import torch
from torch import Tensor

from qivis.models.association_head import (
    AssociationHead,
    DynamicConvEmbedding,
    MaskTrackEmbedding,
    MlpEmbedding,
)

WIDTH, GRID, EMBEDDING = 8, 3, 5
VIEWS = ("queries", "mask_queries", "features")


def make(form: str) -> AssociationHead:
    torch.manual_seed(0)
    if form == "mlp":
        return MlpEmbedding(WIDTH, EMBEDDING)
    if form == "dynamic_conv":
        return DynamicConvEmbedding(WIDTH, 4, GRID, EMBEDDING)
    return MaskTrackEmbedding(WIDTH, GRID, EMBEDDING)


def views(count: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(count, WIDTH), (count, WIDTH), (count, GRID * GRID, WIDTH)]
    return {
        name: torch.randn(shape, generator=generator)
        for name, shape in zip(VIEWS, shapes, strict=True)
    }


@pytest.mark.parametrize(
    ("form", "used"),
    [
        ("mlp", {"queries"}),
        ("dynamic_conv", {"mask_queries", "features"}),
        ("masktrack", {"features"}),
    ],
)
def test_each_form_looks_at_what_its_paper_looks_at(form: str, used: set[str]) -> None:
    head, plain = make(form), views()
    expected = head(**plain)
    assert expected.shape == (6, EMBEDDING)
    for name in VIEWS:
        changed = head(**plain | {name: plain[name] + 1})
        assert torch.allclose(changed, expected) == (name not in used), name


@pytest.mark.parametrize("form", ["mlp", "dynamic_conv", "masktrack"])
def test_objects_do_not_mix(form: str) -> None:
    head, plain = make(form), views()
    second = head(**{name: view[1:2] for name, view in plain.items()})
    assert torch.allclose(head(**plain)[1:2], second, atol=1e-6)


@pytest.mark.parametrize("form", ["mlp", "dynamic_conv", "masktrack"])
def test_no_object_has_no_embedding(form: str) -> None:
    assert make(form)(**views(0)).shape == (0, EMBEDDING)


def test_two_layers_on_the_features_are_two_layers() -> None:
    head, plain = make("masktrack"), views()
    assert isinstance(head, MaskTrackEmbedding)
    hidden = plain["features"].reshape(6, -1) @ head.hidden.weight.T + head.hidden.bias
    expected = hidden.clamp(min=0) @ head.embed.weight.T + head.embed.bias
    assert torch.allclose(head(**plain), expected, atol=1e-5)
