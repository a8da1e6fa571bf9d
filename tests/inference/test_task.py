from dataclasses import replace

import pytest

from qivis.errors import ConfigError
from qivis.inference.arguments import parse_args
from qivis.inference.task import labels_of, load_as_asked, plan_of, task_of
from qivis.structures import Categories, Category

KNOWN = Categories((Category(1, "circle"), Category(3, "square")))


@pytest.fixture
def args_of(tiny_weights):
    return lambda *flags: parse_args(["clip.mp4", "--weights", str(tiny_weights), *flags])


def test_a_score_is_where_tracks_begin(args_of):
    predictor = load_as_asked(args_of("--score", "0.4"))
    assert predictor.tracking.birth_score == 0.4
    assert predictor.score_threshold == predictor.tracking.keep_score  # weaker ones may continue


def test_a_score_below_the_gate_lowers_the_gate(args_of):
    assert load_as_asked(args_of("--score", "0.01")).score_threshold == 0.01


def test_an_export_that_has_none_of_the_classes_is_refused_before_the_run(args_of):
    with pytest.raises(ConfigError, match="--export: cityscapes has none of the 3 classes"):
        load_as_asked(args_of("--export", "csv", "cityscapes"))


def test_the_longer_side_keeps_its_proportion_to_the_shorter_one(args_of):
    shape = load_as_asked(args_of("--imgsz", "128")).input
    assert (shape.short_side, shape.long_side) == (128, 192)  # the weights say 64 and 96


def test_a_plan_says_which_frames_and_classes(args_of):
    args = args_of("--classes", "triangle", "--stride", "3", "--save", "--seconds", "2")
    plan = plan_of(args, load_as_asked(args))
    assert (plan.stride, plan.seconds, plan.labels, plan.overlay) == (3, 2.0, [2], False)


def test_a_task_changes_with_whatever_the_results_depend_on(args_of, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"a clip")
    args = args_of()
    predictor = load_as_asked(args)
    task = task_of(str(clip), args, predictor)
    assert task == task_of(str(clip), args, predictor)
    assert task == task_of(str(clip), args_of("--out", "elsewhere", "--batch", "9"), predictor)
    assert task != task_of(str(clip), args_of("--stride", "2"), predictor)
    slower = replace(predictor, tracking=replace(predictor.tracking, memory_frames=99))
    assert task != task_of(str(clip), args, slower)
    clip.write_bytes(b"another one")
    assert task != task_of(str(clip), args, predictor)


def test_classes_are_numbered_as_the_weights_do():
    assert labels_of(["square", "circle"], KNOWN) == [1, 0]


def test_an_unknown_class_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'square'\\? known: circle, square"):
        labels_of(["squares"], KNOWN)
