"""The config files that the project ships: they load, and say what was published."""

from pathlib import Path

import pytest

from qivis.config import load_config

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(path for path in CONFIGS.glob("*/*.yaml") if path.parent.name != "_base_")
MULTI_SCALE = tuple(range(480, 801, 32))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_config_loads(path: Path) -> None:
    load_config(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_config_begins_with_its_command_its_cost_and_what_to_expect(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("\n\n")]
    for word in (f"{path.parent.name}/{path.name}", "Cost: ", "Expected: "):
        assert word in head


# mmdetection configs/queryinst: backbone, queries, epochs, milestones, training sizes, crop
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("r50_100q_1x", ("resnet50", 100, 12, (8, 11), (800,), 0.0)),
        ("r50_100q_3x", ("resnet50", 100, 36, (27, 33), MULTI_SCALE, 0.0)),
        ("r50_300q_crop_3x", ("resnet50", 300, 36, (27, 33), MULTI_SCALE, 0.5)),
        ("r101_100q_3x", ("resnet101", 100, 36, (27, 33), MULTI_SCALE, 0.0)),
        ("r101_300q_crop_3x", ("resnet101", 300, 36, (27, 33), MULTI_SCALE, 0.5)),
    ],
)
def test_the_five_published_recipes_differ_in_these_values(
    name: str, expected: tuple[object, ...]
) -> None:
    config = load_config(CONFIGS / "image" / f"queryinst_{name}_coco.yaml")
    model, optim, augment = config.model, config.optim, config.augment
    assert expected == (
        model.backbone,
        model.num_queries,
        optim.epochs,
        optim.milestones,
        augment.short_sides,
        augment.crop_probability,
    )


@pytest.mark.parametrize(
    "path", sorted(CONFIGS.glob("image/queryinst_[rx]*_coco.yaml")), ids=lambda p: p.stem
)
def test_the_recipes_of_mmdetection_agree_in_these_values(path: Path) -> None:
    config = load_config(path)
    optim, augment, loss = config.optim, config.augment, config.loss
    assert (optim.lr, optim.weight_decay, optim.backbone_lr_factor) == (1e-4, 1e-4, 0.1)
    assert (optim.clip_norm, optim.batch_size) == (0.1, 16)
    assert (optim.warmup_steps, optim.warmup_factor) == (1000, 0.001)
    assert (augment.flip_probability, augment.long_side) == (0.5, 1333)
    assert (augment.crop_short_sides, augment.crop_range) == ((400, 500, 600), (384, 600))
    assert (config.input.short_side, config.input.long_side) == (800, 1333)
    assert (loss.focal, loss.l1, loss.giou, loss.dice) == (2.0, 5.0, 2.0, 8.0)
    assert (config.model.num_stages, config.model.width) == (6, 256)
    assert (config.data.min_side, config.data.ignore_regions) == (32, False)


# hustvl/QueryInst configs/queryinst: backbone, queries, epochs, milestones, range of sides
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("swin_t_100q_crop_3x", ("swin_t", 100, 36, (27, 33), 480, 800)),
        ("swin_l_300q_crop_50e", ("swin_l", 300, 50, (40,), 400, 1200)),
    ],
)
def test_the_recipes_of_the_authors_for_swin(name: str, expected: tuple[object, ...]) -> None:
    config = load_config(CONFIGS / "image" / f"queryinst_{name}_coco.yaml")
    model, optim, augment = config.model, config.optim, config.augment
    shortest, longest = min(augment.short_sides), max(augment.short_sides)
    assert expected == (
        *(model.backbone, model.num_queries, optim.epochs, optim.milestones, shortest, longest),
    )
    assert (optim.lr, optim.backbone_lr_factor, optim.clip_norm) == (2.5e-5, 1.0, 1.0)
    assert (optim.weight_decay, optim.decay_norms, optim.batch_size) == (1e-4, False, 16)
    assert (optim.warmup_steps, optim.warmup_factor) == (1000, 0.001)
    assert (augment.crop_probability, augment.crop_short_sides) == (0.5, (400, 500, 600))
    assert augment.crop_range == (384, 600)


def test_cityscapes_is_trained_as_detectron2_does_with_the_lr_of_the_images_in_a_step() -> None:
    config = load_config(CONFIGS / "image" / "queryinst_r50_cityscapes.yaml")
    coco = load_config(CONFIGS / "image" / "queryinst_r50_100q_1x_coco.yaml")
    optim, steps_per_epoch = config.optim, -(-2975 // config.optim.batch_size)
    assert config.model == coco.model
    assert optim.lr / optim.batch_size == coco.optim.lr / coco.optim.batch_size
    assert optim.epochs * steps_per_epoch == pytest.approx(24000, rel=0.01)
    assert optim.milestones[0] * steps_per_epoch == pytest.approx(18000, rel=0.01)
    assert config.augment.short_sides == tuple(range(800, 1025, 32))
    assert (config.input.short_side, config.input.long_side) == (1024, 2048)
    assert {source.kind for source in (*config.data.train, config.data.val)} == {"cityscapes"}
