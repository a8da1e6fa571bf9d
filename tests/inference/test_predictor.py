"""Pictures in, detections out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qivis.errors import ConfigError, DataError, WeightsError
from qivis.inference.predictor import (
    Predictor,
    best_precision,
    load_predictor,
    pick_device,
)
from qivis.models.backbone import Lite0
from tests.tiny import noise


@pytest.fixture(scope="module")
def predictor(tiny_weights: Path) -> Predictor:
    return replace(load_predictor(tiny_weights, "cpu"), score_threshold=0.0, max_detections=5)


def test_detections_are_in_pixels_of_the_pictures(predictor: Predictor) -> None:
    small, large = predictor([noise((32, 48)), noise((200, 120))])
    assert (small.size, small.masks.shape) == ((32, 48), (5, 32, 48))
    assert (large.size, large.masks.shape) == ((200, 120), (5, 200, 120))
    assert (small.scores.diff() <= 0).all()
    assert not small.scores.requires_grad


def test_pictures_of_one_shape_are_the_same_alone_and_together(predictor: Predictor) -> None:
    images = [noise((48, 72), seed) for seed in range(3)]
    together = predictor(images)
    for image, detections in zip(images, together, strict=True):
        (alone,) = predictor([image])
        assert torch.allclose(alone.scores, detections.scores, atol=1e-5)
        assert torch.allclose(alone.boxes, detections.boxes, atol=1e-2)
        assert (alone.masks != detections.masks).float().mean() < 1e-3


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_the_autocast_of_who_calls_changes_nothing(
    tiny_weights: Path, dtype: torch.dtype, optimize: bool
) -> None:
    predictor = load_predictor(tiny_weights, "cpu", optimize=optimize, precision="float32")
    predictor = replace(predictor, score_threshold=0.0, max_detections=5)
    (expected,) = predictor([noise((48, 72))])
    with torch.autocast("cpu", dtype):
        (found,) = predictor([noise((48, 72))])
    assert torch.equal(found.boxes, expected.boxes)
    assert torch.equal(found.masks, expected.masks)


@pytest.mark.parametrize(
    "image",
    [noise((48, 72)).permute(1, 2, 0), noise((48, 72))[:1], noise((48, 72)) / 255, None],
    ids=["channels last", "grey", "floats", "nothing"],
)
def test_what_is_no_picture_is_refused(predictor: Predictor, image: torch.Tensor) -> None:
    with pytest.raises(
        DataError, match=r"expected pictures, each a tensor \(3, H, W\) of torch.ui"
    ):
        predictor([image])


def test_a_threshold_drops_what_is_unlikely(predictor: Predictor) -> None:
    (nothing,) = replace(predictor, score_threshold=0.9)([noise((48, 72))])
    assert (len(nothing), nothing.masks.shape) == (0, (0, 48, 72))


def test_settings_come_from_the_weights(tiny_weights: Path) -> None:
    predictor = load_predictor(tiny_weights, "cpu")
    assert (predictor.input.short_side, predictor.input.long_side) == (64, 96)
    assert predictor.categories.names == ("circle", "square", "triangle")
    assert not predictor.model.training


def test_an_optimized_network_finds_what_the_plain_one_finds(tiny_weights: Path) -> None:
    plain = load_predictor(tiny_weights, "cpu", optimize=False)
    optimized = load_predictor(tiny_weights, "cpu", precision="float32")
    assert (plain.precision, optimized.precision) == ("float32", "float32")
    images = [noise((48, 72))]
    ours, theirs = (
        replace(predictor, score_threshold=0.0, max_detections=5)(images)[0]
        for predictor in (optimized, plain)
    )
    assert torch.equal(ours.labels, theirs.labels)
    assert torch.allclose(ours.scores, theirs.scores, atol=1e-5)
    assert torch.allclose(ours.boxes, theirs.boxes, atol=1e-2)
    assert isinstance(plain.model.backbone, Lite0)
    assert not isinstance(optimized.model.backbone, Lite0)


def test_what_is_found_in_bfloat16_has_the_types_of_float32(tiny_weights: Path) -> None:
    predictor = load_predictor(tiny_weights, "cpu", precision="bfloat16")
    assert predictor.precision == "bfloat16"
    (found,) = replace(predictor, score_threshold=0.0, max_detections=5)([noise((48, 72))])
    assert len(found) == 5
    assert {found.boxes.dtype, found.scores.dtype, found.embeddings.dtype} == {torch.float32}
    assert found.masks.dtype == torch.bool


def test_bfloat16_is_chosen_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda answer=has_it: answer)
        assert best_precision(torch.device("cpu")) == precision
    assert best_precision(torch.device("meta")) == "float32"


def widths(predictor: Predictor) -> set[int]:
    """Of the embeddings that it finds; those that are learned have 12, queries 32."""
    found = replace(predictor, score_threshold=0.0)([noise((48, 72))])
    return {detections.embeddings.shape[1] for detections in found}


@pytest.mark.parametrize(
    ("asked", "association", "width"),
    [
        (None, "embedding", 12),
        ("embedding", "embedding", 12),
        ("query", "query", 32),
        ("overlap", "overlap", 32),
    ],
)
def test_embeddings_are_what_the_tracker_goes_by(
    embedding_weights: Path, asked: str | None, association: str, width: int
) -> None:
    predictor = load_predictor(embedding_weights, "cpu", asked)
    assert (predictor.tracking.association, widths(predictor)) == (association, {width})


def test_other_settings_of_the_tracker_stay_those_of_the_weights(tiny_weights: Path) -> None:
    tracking = load_predictor(tiny_weights, "cpu", "overlap").tracking
    assert tracking == replace(load_predictor(tiny_weights, "cpu").tracking, association="overlap")
    assert tracking.min_frames == 2


def test_a_predictor_whose_tracker_is_changed_finds_other_embeddings(
    embedding_weights: Path,
) -> None:
    predictor = load_predictor(embedding_weights, "cpu")
    by_query = replace(predictor.tracking, association="query")
    assert widths(replace(predictor, tracking=by_query)) == {32}


def test_weights_without_embeddings_say_so_and_what_to_do(
    tiny_weights: Path, predictor: Predictor
) -> None:
    with pytest.raises(WeightsError) as error:
        load_predictor(tiny_weights, "cpu", "embedding")
    assert str(error.value).startswith(f"{tiny_weights}: ")
    assert "associate by query or overlap" in str(error.value)
    assert "train_vis" in str(error.value)
    learned = replace(predictor.tracking, association="embedding")
    with pytest.raises(WeightsError, match="needs an association head"):
        replace(predictor, tracking=learned)


def test_an_association_that_does_not_exist_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(ConfigError, match=r"'querry'.*'query'"):
        load_predictor(tiny_weights, "cpu", "querry")


def test_a_precision_that_does_not_exist_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(ConfigError, match="expected auto, float32 or bfloat16, got 'float16'"):
        load_predictor(tiny_weights, "cpu", precision="float16")  # type: ignore[arg-type]


def test_heads_that_only_training_needs_are_not_kept(tiny_weights: Path) -> None:
    assert len(load_predictor(tiny_weights, "cpu").model.mask_heads) == 1


@pytest.mark.parametrize("name", ["meta", "privateuseone", "hpu", "gpu", "cpu:1:2"])
def test_a_device_that_computes_nothing_here_is_told_in_a_line(name: str) -> None:
    with pytest.raises(
        WeightsError, match=rf"^device '{name}' cannot be used here \(.*\); try cpu$"
    ):
        pick_device(name)


def test_the_device_is_chosen_by_name() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.gpu
def test_a_gpu_finds_what_a_cpu_finds(tiny_weights: Path) -> None:
    pictures = [noise((48, 64)), noise((40, 80), seed=1)]
    found = {}
    for device in ("cpu", "cuda"):
        predictor = load_predictor(tiny_weights, device, precision="float32")
        shape = replace(predictor.input, short_side=32, long_side=64)  # resized there, too
        predictor = replace(predictor, input=shape)
        found[device] = replace(predictor, score_threshold=0.0, max_detections=5)(pictures)
    for ours, theirs in zip(found["cuda"], found["cpu"], strict=True):
        assert ours.boxes.is_cuda
        assert ours.masks.is_cuda
        torch.testing.assert_close(ours.scores.cpu(), theirs.scores, rtol=0, atol=1e-3)


def test_no_picture_gives_nothing_on_any_device(tiny_weights: Path) -> None:
    predictor = load_predictor(tiny_weights, "cpu")
    assert predictor([]) == []
    assert replace(predictor, device=torch.device("cuda"))([]) == []  # is not asked


@pytest.mark.gpu
def test_torchrun_gives_each_process_of_a_machine_its_own_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "99")
    with pytest.raises(WeightsError, match="device 'cuda:99' cannot be used here"):
        pick_device("auto")


@pytest.mark.parametrize("name", ["toaster", "cuda:99"])
def test_a_device_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(WeightsError, match=f"device '{name}' cannot be used here .*; try cpu"):
        pick_device(name)
