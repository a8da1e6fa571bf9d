import copy
import operator
import pickle
from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from qivis.config.schema import InputConfig
from qivis.models.backbone import BACKBONES
from qivis.models.deformable import DeformableConv, deform
from qivis.models.fpn import Fpn
from qivis.models.fused import FusedConv, PackedLinear
from qivis.models.group_norm import SmallGroupNorm
from qivis.models.inputs import prepare
from qivis.models.max_pool import PooledRelu
from qivis.models.optimize import Remembered, fuse, optimize
from qivis.models.postprocess import select_detections
from qivis.ops.roi_align import flatten_pyramid
from tests.tiny import FEATURIZED, TINY, noise, spread_scores, tiny_model

FORMS = {
    "learned queries": TINY,
    "featurized queries": FEATURIZED,
    "ResNet": replace(TINY, backbone="resnet50"),
    "Swin": replace(TINY, backbone="swin_t"),
    "batch norm in the mask head": replace(TINY, mask_norm="batch"),
    "an association head": replace(FEATURIZED, association="dynamic_conv", embedding_width=12),
}
NORMS = (nn.BatchNorm2d,)


def stir_norms(module):
    """Give batch norms statistics, as if they had been trained."""
    for layer in module.modules():
        if isinstance(layer, NORMS):
            nn.init.uniform_(layer.running_var, 0.8, 1.2)
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.bias, -0.1, 0.1)
    return module


def twins(config):
    """The same network twice, with scores that are far apart."""
    pair = []
    for _ in range(2):
        model = spread_scores(tiny_model(config))
        torch.manual_seed(1)
        pair.append(stir_norms(model).eval())
    return pair


def detect(model):
    sizes = [(64, 96), (50, 40)]
    images = [noise(size, seed) for seed, size in enumerate(sizes)]
    with torch.inference_mode():
        prediction = model(prepare(images, InputConfig()))
        return select_detections(model, prediction, sizes, score_threshold=0, max_detections=6)


@pytest.mark.parametrize("config", FORMS.values(), ids=FORMS)
def test_an_optimized_network_finds_the_same(config):
    plain, optimized = twins(config)
    optimize(optimized)
    for ours, theirs in zip(detect(optimized), detect(plain), strict=True):
        assert torch.equal(ours.labels, theirs.labels)
        torch.testing.assert_close(ours.scores, theirs.scores, rtol=0, atol=1e-4)
        torch.testing.assert_close(ours.boxes, theirs.boxes, rtol=0, atol=0.01)
        torch.testing.assert_close(ours.embeddings, theirs.embeddings, rtol=1e-3, atol=1e-3)
        assert (ours.masks != theirs.masks).float().mean() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies_and_other_processes_find_the_same_to_the_bit(copied, dtype):
    optimized = twins(FORMS["an association head"])[0]
    optimize(optimized, dtype)
    before = copied(optimized)
    found = detect(optimized)  # which packs weights for the sizes of these pictures
    for other in (before, copied(optimized)):
        for ours, theirs in zip(detect(other), found, strict=True):
            assert torch.equal(ours.scores, theirs.scores)
            assert torch.equal(ours.boxes, theirs.boxes)
            assert torch.equal(ours.masks, theirs.masks)
            assert torch.equal(ours.embeddings, theirs.embeddings)


@pytest.mark.parametrize("config", FORMS.values(), ids=FORMS)
def test_in_bfloat16_features_are_close_and_boxes_stay_float32(config):
    plain, optimized = twins(config)
    optimize(optimized, torch.bfloat16)
    batch = prepare([noise((64, 96))], InputConfig())
    with torch.inference_mode():
        ours, theirs = optimized(batch), plain(batch)
        assert ours.stages[-1].logits.dtype == torch.bfloat16
        for ours_level, level in zip(ours.pyramid, theirs.pyramid, strict=True):
            assert ours_level.dtype == torch.bfloat16
            assert (ours_level - level).abs().mean() < 0.02 * level.abs().mean()
    assert ours.initial.boxes.dtype == ours.stages[-1].boxes.dtype == torch.float32
    if not ours.initial.dense:  # boxes that were learned, not proposed, are the same
        assert torch.equal(ours.initial.boxes, theirs.initial.boxes)


def test_filters_of_learned_queries_are_made_once():
    _, optimized = twins(TINY)
    optimize(optimized)
    remembered = [isinstance(stage.interact.into, Remembered) for stage in optimized.stages]
    assert remembered == [True] + [False] * (len(remembered) - 1)
    assert not [m for m in optimized.stages[0].interact.modules() if isinstance(m, PackedLinear)]


@torch.inference_mode()
def test_roi_align_reads_the_pyramid_where_it_was_written():
    _, optimized = twins(TINY)
    optimize(optimized)
    found = optimized(prepare([noise((64, 96)), noise((50, 40))], InputConfig()))
    assert found.rows.rows.data_ptr() == found.pyramid[0].data_ptr()
    assert torch.equal(found.rows.rows, flatten_pyramid(list(found.pyramid)).rows)


@torch.inference_mode()
def test_what_the_first_stage_asks_is_what_it_asks_for_each_picture():
    plain, optimized = twins(TINY)
    optimize(optimized)
    stage, queries = plain.stages[0], plain.queries.features.weight
    assert not [m for m in optimized.stages[0].modules() if isinstance(m, nn.MultiheadAttention)]
    for pictures in (1, 2):
        result = optimized.stages[0].ask(torch.zeros(pictures, *queries.shape))
        expected = stage.ask(queries[None]).expand(pictures, -1, -1)
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_classes_are_asked_of_the_last_stage_alone():
    _, optimized = twins(TINY)
    optimize(optimized)
    with torch.inference_mode():
        found = optimized(prepare([noise((64, 96))], InputConfig()))
    classes = [stage.logits.shape[-1] for stage in found.stages]
    assert classes == [0] * (len(classes) - 1) + [3]


@torch.inference_mode()
def test_filters_made_once_are_those_that_the_first_stage_makes_for_each_picture():
    plain, optimized = twins(TINY)
    optimize(optimized)
    stage, queries = plain.stages[0], plain.queries.features.weight
    filters = stage.interact.generate(stage.ask(queries[None])[0]).chunk(2, dim=1)
    found = optimized.stages[0].interact
    for layer, expected in zip((found.into, found.out_of), filters, strict=True):
        for pictures in (1, 2):
            result = layer(torch.zeros(pictures * len(queries), queries.shape[1]))
            torch.testing.assert_close(result, expected.repeat(pictures, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
def test_of_a_backbone_only_fused_convolutions_and_pooling_are_left(name):
    graph = fuse(BACKBONES[name]().eval(), torch.float32)
    steps = [node for node in graph.graph.nodes if node.op.startswith("call_")]
    layers = [graph.get_submodule(node.target) for node in steps if node.op == "call_module"]
    assert {type(layer) for layer in layers} <= {FusedConv, PooledRelu}
    assert len(layers) == len(steps)
    assert not [layer for layer in graph.modules() if isinstance(layer, NORMS)]


def test_the_sums_of_backbone_and_pyramid_happen_within_convolutions():
    pyramid = Fpn((256, 512, 1024, 2048), 8)
    graph = fuse(nn.Sequential(BACKBONES["resnet50"](), pyramid).eval(), torch.float32).graph
    called = [node.target for node in graph.nodes if node.op == "call_function"]
    assert called.count(nn.functional.interpolate) == 3
    assert not {operator.add, operator.iadd} & set(called)


@torch.inference_mode()
def test_pooling_of_what_may_be_negative_stays_what_it_is():
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, stride=2, padding=1)).eval()
    fused = fuse(layers, torch.bfloat16).to(torch.bfloat16)
    assert PooledRelu not in {type(layer) for layer in fused.modules()}
    features = torch.randn(1, 3, 8, 8)
    expected = layers(features)
    assert expected.min() < 0
    torch.testing.assert_close(fused(features.bfloat16()).float(), expected, rtol=0.02, atol=0.02)


def test_group_norms_between_convolutions_are_those_for_small_maps():
    _, optimized = twins(FEATURIZED)
    norms = [type(layer) for layer in optimized.modules() if isinstance(layer, nn.GroupNorm)]
    optimize(optimized, torch.bfloat16)
    found = [type(layer) for layer in optimized.modules() if isinstance(layer, nn.GroupNorm)]
    assert norms
    assert found == [SmallGroupNorm] * len(norms)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_deformable_convolutions_stay_what_they_are(dtype):
    torch.manual_seed(0)
    body = deform(ResNet(Bottleneck, [1, 1, 1, 1]))
    for layer in body.modules():
        if isinstance(layer, DeformableConv):
            nn.init.normal_(layer.offsets.weight, std=0.02)
    body = stir_norms(body).eval()
    features = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        expected = body(features)
        fused = fuse(body, dtype).to(dtype)
        found = fused(features.to(dtype)).float()
    assert sum(isinstance(layer, DeformableConv) for layer in fused.modules()) == 3
    error = {torch.float32: 1e-4, torch.bfloat16: 0.05}[dtype] * expected.abs().max()
    assert (found - expected).abs().max() < error


def test_maps_that_are_used_twice_are_kept():
    class Forked(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, features):
            convolved = self.conv(features)
            return convolved + self.norm(convolved).relu()

    module = stir_norms(Forked()).eval()
    features = torch.randn(1, 3, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(fuse(module, torch.float32)(features), module(features))


def test_a_map_is_added_before_an_activation_that_cannot_be_fused():
    class Summed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, features):
            return nn.functional.relu6(features + self.conv(features))

    module = Summed().eval()
    features = 9 * torch.randn(1, 3, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(fuse(module, torch.float32)(features), module(features))


def test_no_value_is_waited_for_between_picture_and_outputs():
    """Each `.item()`, `.tolist()` or `nonzero()` would keep a GPU idle until it had caught up."""
    waits = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::item"}

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func.name().split(".")[0])
            return func(*args, **(kwargs or {}))

    for model in (*twins(FEATURIZED), *twins(TINY)):
        seen: list[str] = []
        batch = prepare([noise((64, 96))], InputConfig())
        with torch.inference_mode(), Watch():
            model(batch)
        assert len(seen) > 100
        assert not waits & set(seen)


class Sum(nn.Module):
    """A sum with a map of before, which others look at as well, earlier or later."""

    def __init__(self, earlier, later):
        super().__init__()
        self.make, self.into, self.out_of, self.aside = (
            nn.Conv2d(4, 4, 3, padding=1) for _ in range(4)
        )
        self.earlier, self.later = earlier, later

    def forward(self, images):
        before = self.make(images)
        seen = self.earlier(self, before)
        summed = (self.out_of(self.into(before)) + before).relu()
        return summed, seen, self.later(self, before)


def nobody(_module, _before):
    return torch.zeros(1)


def view(_module, before):
    return before.flatten(2)


def convolved(module, before):
    return module.aside(before)


class SumWithItself(nn.Module):
    """A sum with the map that is convolved."""

    def __init__(self):
        super().__init__()
        self.make, self.out_of = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))

    def forward(self, images):
        before = self.make(images)
        return (self.out_of(before) + before).relu(), images


@torch.inference_mode()
@pytest.mark.parametrize(
    ("module", "overwrites"),
    [
        (Sum(nobody, nobody), True),
        (Sum(convolved, nobody), True),
        (Sum(view, nobody), False),
        (Sum(nobody, view), False),
        (Sum(nobody, convolved), False),
        (SumWithItself(), False),
    ],
    ids=["alone", "convolved earlier", "a view", "viewed later", "convolved later", "itself"],
)
def test_a_sum_takes_the_place_of_a_map_only_where_nobody_else_looks_at_it(module, overwrites):
    torch.manual_seed(0)
    images = torch.randn(2, 4, 6, 5).to(memory_format=torch.channels_last)
    fused = fuse(module, torch.float32)
    for found, expected in zip(fused(images), module(images), strict=True):
        torch.testing.assert_close(found, expected)
    assert fused.fused_out_of.overwrites == overwrites
