"""Batch to losses: which there are, and that every batch gives a gradient."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from qivis.config.schema import LossConfig, ModelConfig
from qivis.models.training import ClipTraining, ImageTraining
from qivis.structures import Batch, Targets
from tests.tiny import FEATURIZED, TINY, noise, rectangles, tiny_model

SIZES = [(48, 64), (64, 40)]
OBJECTS = rectangles(SIZES[0], [(4, 4, 24, 40), (30, 8, 60, 30)], [0, 2])
CONFIGS = {
    "learned": TINY,
    "featurized": FEATURIZED,
    "with batch norm": replace(TINY, mask_norm="batch"),
}


def batch_of(*targets: Targets) -> Batch:
    return Batch(
        images=tuple(noise(target.size) for target in targets),
        targets=targets,
        ignored=tuple(torch.zeros(0, 4) for _ in targets),
        clip_length=1,
    )


def test_every_stage_has_four_losses() -> None:
    losses = ImageTraining(tiny_model())(batch_of(OBJECTS))
    names = {f"stage{i}/{name}" for i in (0, 1) for name in ("class", "l1", "giou", "mask")}
    assert losses.keys() == names
    assert all(loss.shape == () and loss > 0 for loss in losses.values())


def test_a_dense_head_has_two_more() -> None:
    losses = ImageTraining(tiny_model(FEATURIZED))(batch_of(OBJECTS))
    proposals = {name for name in losses if not name.startswith("stage")}
    assert proposals == {"proposals/class", "proposals/giou"}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(
    "targets",
    [(OBJECTS, Targets.empty(SIZES[1])), (Targets.empty(SIZES[0]), Targets.empty(SIZES[1]))],
    ids=["one empty image", "only empty images"],
)
def test_every_weight_that_learns_gets_a_finite_gradient(
    config: ModelConfig, targets: tuple[Targets, ...]
) -> None:
    training = ImageTraining(tiny_model(config)).train()
    losses = training(batch_of(*targets))
    torch.stack(list(losses.values())).sum().backward()
    assert all(loss.isfinite() for loss in losses.values())
    for name, parameter in training.model.named_parameters():
        if parameter.requires_grad:
            # DDP waits for a gradient of every weight, even if it is zero.
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    assert training.model.stages[0].class_logits.weight.grad.any()


def test_losses_carry_their_weights() -> None:
    model, batch = tiny_model(), batch_of(OBJECTS)
    plain = ImageTraining(model, loss_config=LossConfig())(batch)
    more = ImageTraining(model, loss_config=LossConfig(dice=16.0))(batch)
    assert more["stage1/mask"].item() == pytest.approx(2 * plain["stage1/mask"].item(), rel=1e-4)
    assert more["stage1/class"].item() == pytest.approx(plain["stage1/class"].item(), rel=1e-4)


def test_what_lies_in_an_ignored_region_is_not_counted_wrong() -> None:
    training = ImageTraining(tiny_model(FEATURIZED))
    empty = batch_of(Targets.empty(SIZES[0]))
    everywhere = torch.tensor([[-1e4, -1e4, 1e4, 1e4]])
    losses = training(replace(empty, ignored=(everywhere,)))
    assert all(loss.item() == 0 for loss in losses.values())
    assert training(empty)["stage0/class"] > 0


def test_the_order_of_the_objects_does_not_matter() -> None:
    training = ImageTraining(tiny_model())
    plain = training(batch_of(OBJECTS))
    mixed = training(batch_of(OBJECTS[[1, 0]]))
    for name, loss in plain.items():
        assert mixed[name].item() == pytest.approx(loss.item(), rel=1e-4)


FORMS = {
    "mlp": LossConfig(),
    "dynamic_conv": LossConfig(),
    "masktrack": LossConfig(contrastive=0.0, cosine=0.0, track_match=1.0),
}


def clip_batch(*targets: Targets) -> Batch:
    """Clips of two frames."""
    return replace(batch_of(*targets), clip_length=2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 0], ids=["objects", "no object"])
def test_clips_teach_every_form_of_association_beside_the_image_losses(
    form: Literal["mlp", "dynamic_conv", "masktrack"], count: int
) -> None:
    model = tiny_model(replace(FEATURIZED, association=form, embedding_width=16)).train()
    training = ClipTraining(model, loss_config=FORMS[form])
    losses = training(clip_batch(*[OBJECTS[list(range(count))]] * 4))
    association = {name for name in losses if name.startswith("association/")}
    assert association == (
        {"association/match"}
        if form == "masktrack"
        else {"association/contrastive", "association/cosine"}
    )
    assert "stage1/mask" in losses
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    assert model.association is not None
    learned = [p.grad for p in model.association.parameters() if p.grad is not None]
    assert any(bool(gradient.any()) for gradient in learned) == (count > 0)


def test_learning_association_alone_leaves_the_rest_of_the_network_alone() -> None:
    model = tiny_model(replace(TINY, association="mlp")).train()
    losses = ClipTraining(model, learn="association")(clip_batch(OBJECTS, OBJECTS))
    assert all(name.startswith("association/") for name in losses)
    torch.stack(list(losses.values())).sum().backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None}
    assert touched == {name for name, _ in model.named_parameters() if "association" in name}


def test_an_object_that_looks_the_same_in_both_frames_is_learned() -> None:
    model = tiny_model(replace(TINY, association="mlp", embedding_width=16)).train()
    training = ClipTraining(model, learn="association")
    batch = clip_batch(OBJECTS, OBJECTS)
    optimizer = torch.optim.Adam(model.association.parameters(), lr=1e-2)
    first = None
    for _ in range(30):
        loss = torch.stack(list(training(batch).values())).sum()
        first = first if first is not None else loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first
