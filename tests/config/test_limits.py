"""The limits of settings, at their ends and beyond them."""

from typing import Any

import pytest

from qivis.config import ExperimentConfig, from_dict, to_dict
from qivis.config.limits import (
    NOT_EMPTY,
    RISING,
    Amount,
    Channels,
    Count,
    Decay,
    Natural,
    Positive,
    Share,
    Side,
    SideOrNone,
)
from qivis.errors import ConfigError

WRONG = """
model.num_queries 0; model.num_queries -3; model.num_stages 0; model.width 0; model.width 30
model.num_heads 0; model.num_heads 5; model.ffn_width 0; model.dynamic_width 0; model.box_grid 0
model.mask_grid 0; model.sampling_ratio 0; model.sampling_ratio -1; model.embedding_width 0
input.short_side 0; input.long_side -1; data.min_side -1; clip.length 0; clip.reach -1
clip.reverse_probability 7; augment.flip_probability 2; augment.long_side 1
augment.crop_probability -1; augment.canvas_side -5; augment.canvas_side 1
augment.color_strength 5; augment.paste_probability 2; augment.paste_objects 0; loss.focal -1
loss.dice -1; loss.least_overlap 5; loss.neighbour_overlap -1; optim.lr -1; optim.weight_decay -1
optim.backbone_lr_factor -1; optim.clip_norm 0; optim.clip_norm -1; optim.batch_size 0
optim.accumulate -1; optim.epochs 0; optim.warmup_steps -1; optim.warmup_factor -3
optim.ema_decay 1; optim.ema_decay -1; optim.seed -1; optim.workers -1; optim.checkpoint_steps 0
optim.evaluate_epochs 0; tracking.keep_score 2; tracking.birth_score -1; tracking.duplicate_iou 2
tracking.appearance_weight 2; tracking.place_frames 0; tracking.recent_frames -1
tracking.temperature 0; tracking.match_similarity 2; tracking.memory_frames -1
tracking.min_frames -1
"""
WRONG_SETTINGS = [entry.split() for line in WRONG.split("\n") for entry in line.split(";") if entry]
WRONG_LISTS = [
    ("input.pixel_std", [0, 0, 0]),
    ("data.train", []),
    ("augment.short_sides", []),
    ("augment.short_sides", [0]),
    ("augment.crop_short_sides", [-5]),
    ("augment.crop_range", [600, 384]),
    ("augment.jitter_range", [2, 0.5]),
    ("augment.jitter_range", [0, 0]),
    ("optim.milestones", [-4]),
]


@pytest.mark.parametrize(
    ("limited", "good", "bad"),
    [
        (Natural, [0, 1], [-1]),
        (Count, [1], [0, -1]),
        (Side, [8], [7, 0, -8]),
        (SideOrNone, [0, 8], [7, -8]),
        (Channels, [8, 96], [0, 4, 30, -8]),
        (Amount, [0.0, 1e9], [-1e-9]),
        (Positive, [1e-9], [0.0, -1.0]),
        (Share, [0.0, 1.0], [-0.1, 1.1]),
        (Decay, [0.0, 0.999], [1.0, -0.1]),
    ],
    ids=str,
)
def test_the_ends_of_a_range_belong_to_it_as_its_words_say(
    limited: Any, good: list[float], bad: list[float]
) -> None:
    (limit,) = limited.__metadata__
    assert [limit.holds(value) for value in (*good, *bad)] == [True] * len(good) + [False] * len(
        bad
    )


def test_a_list_may_have_to_hold_something_or_to_rise() -> None:
    assert NOT_EMPTY.holds((0,))
    assert not NOT_EMPTY.holds(())
    assert RISING.holds((1, 1))
    assert not RISING.holds((2, 1))


@pytest.mark.parametrize(("name", "value"), WRONG_SETTINGS, ids=" ".join)
def test_a_number_that_makes_no_sense_is_refused_by_its_field(name: str, value: str) -> None:
    refuse(name, int(value))


@pytest.mark.parametrize(("name", "value"), WRONG_LISTS, ids=str)
def test_a_list_that_makes_no_sense_is_refused_by_its_field(name: str, value: Any) -> None:
    refuse(name, value)


def refuse(name: str, value: Any) -> None:
    section, field = name.split(".")
    with pytest.raises(ConfigError, match=rf"^here: {name}(\[\d\])?: expected .*, got "):
        from_dict(ExperimentConfig, {section: {field: value}}, "here")


def test_what_turns_a_setting_off_stays_allowed() -> None:
    off = {
        "augment": {"canvas_side": 0, "color_strength": 0, "paste_probability": 0},
        "optim": {"ema_decay": 0, "warmup_steps": 0, "workers": 0, "milestones": []},
        "loss": {"track_match": 0, "least_overlap": 0, "neighbour_overlap": 1},
        "tracking": {"keep_score": 0, "birth_score": 0, "duplicate_iou": 1},
    }
    settings = to_dict(from_dict(ExperimentConfig, off, "here"))
    for section, fields in off.items():
        assert {name: settings[section][name] for name in fields} == fields
