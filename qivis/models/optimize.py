"""The same network, faster for inference: fused and packed layers, in the precision asked for.

What is computed is what the plain modules compute, up to rounding; they stay the ones to read.
"""

import operator
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from qivis.models.deformable import DeformableConv
from qivis.models.dynamic_conv import DynamicConv
from qivis.models.fused import FusedConv, SplitDynamicConv, UpsampledLogits, packed
from qivis.models.group_norm import SmallGroupNorm
from qivis.models.learned_queries import LearnedQueries
from qivis.models.max_pool import PooledRelu, suits_pooled_relu
from qivis.models.on_demand import PIXELS, TILES
from qivis.models.queryinst import QueryInst
from qivis.models.replace import replace_layers
from qivis.ops.onednn import has_onednn
from qivis.ops.roi_align import STRIDES, LaidOutPyramid, LookAt

_ADDITIONS = frozenset({operator.add, operator.iadd})
_RELU6 = frozenset({F.relu6})


def optimize(model: QueryInst, dtype: torch.dtype = torch.float32) -> None:
    """Make a network faster, in place; it cannot be trained, saved or moved any more.

    Args:
        model: in the mode of inference, on the device that it will run on.
        dtype: float32 or bfloat16, of weights and features; boxes stay float32.
    """
    queries = model.queries
    model.backbone, model.fpn = FusedFeatures(model.backbone, model.fpn, dtype), nn.Identity()
    for head in model.mask_heads:
        _join_upsampling(head, dtype)
    start = queries.features if isinstance(queries, LearnedQueries) else queries  # not the boxes
    for part in (start, model.stages, model.mask_heads, model.association):
        if part is not None:
            replace_layers(part, partial(_faster, dtype=dtype))
            part.to(dtype)
    for layer in start.modules():
        if isinstance(layer, FusedConv):
            layer.expect_sizes(len(STRIDES))  # the dense head looks at level after level
    for stage in model.stages[:-1]:
        stage.class_tower, stage.class_logits = nn.Identity(), NoLogits()
    if isinstance(queries, LearnedQueries):
        _remember_questions(model.stages[0], queries.features.weight)


class NoLogits(nn.Module):
    """In the place of a layer whose classes nobody asks for; training does."""

    def forward(self, queries: Tensor) -> Tensor:
        """(B, Q, D) to (B, Q, 0)."""
        return queries[..., :0]


class Remembered(nn.Module):
    """What a layer made of the learned queries, which are the same for every picture."""

    result: Tensor

    def __init__(self, result: Tensor) -> None:
        """Args: result: (Q, D)."""
        super().__init__()
        self.register_buffer("result", result)

    def forward(self, queries: Tensor) -> Tensor:
        """(B * Q, C) to (B * Q, D), or (B, Q, C) to (B, Q, D)."""
        width = self.result.shape[-1]
        batch_size = queries.shape[:-1].numel() // len(self.result)
        return self.result.expand(batch_size, -1, -1).reshape(*queries.shape[:-1], width)


class NoAttention(nn.Module):
    """In the place of attention whose result is remembered by what follows it."""

    def forward(self, queries: Tensor, *_: Tensor, need_weights: bool) -> tuple[Tensor, None]:
        """(B, Q, D) to the same."""
        del need_weights
        return queries, None


@torch.no_grad()
def _remember_questions(stage: Any, queries: Tensor) -> None:
    """What the first stage asks, and its filters: it has not looked at the picture yet."""
    asked = stage.ask(queries[None])[0]
    stage.attention, stage.attention_norm = NoAttention(), Remembered(asked)
    filters = stage.interact
    filters.into, filters.out_of = (
        Remembered(filters.into(asked)),
        Remembered(filters.out_of(asked)),
    )


class FusedFeatures(nn.Module):
    """Backbone and pyramid as one graph of fused layers.

    Only RoIAlign looks at the finest level (`featurized_queries` begin with the next), so that one
    can wait until it does.
    """

    def __init__(self, backbone: nn.Module, fpn: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.graph = fuse(nn.Sequential(backbone, fpn), dtype).to(dtype)
        self.output = nn.ModuleList(_cut_off_output(self.graph))
        self.lateral = _cut_off_finest_sum(self.graph)
        self.lateral.expect_sizes(len(PIXELS))
        cast("FusedConv", self.output[0]).expect_sizes(len(TILES))
        self._dtype = dtype

    def forward(self, images: Tensor) -> LaidOutPyramid:
        """(B, 3, H, W) to (B, D, H / s, W / s) for the strides s = 4, 8, 16, 32.

        Where the finest level waits, RoIAlign has computed what it looks at; the rest is undefined.
        """
        levels = self.graph(images.to(self._dtype))
        layers = cast("list[FusedConv]", list(self.output))
        pyramid = LaidOutPyramid.empty(levels, len(layers[0].weight))
        finest, *others = zip(layers, levels, pyramid, strict=True)
        pyramid.look_at = _write_finest(self.lateral, *finest, coarser=levels[1])
        for layer, level, out in others:
            layer.write(level, out)
        return pyramid


def _write_finest(
    lateral: FusedConv, output: FusedConv, features: Tensor, out: Tensor, *, coarser: Tensor
) -> LookAt | None:
    """The finest level from the backbone's map and the sums of the level above: now, or later.

    Args:
        lateral, output: its two layers.
        features: (B, C, H, W), of the backbone.
        out: (B, D, H, W), the level.
        coarser: (B, D, H / 2, W / 2), before its last convolution.
    """
    if output.can_wait(features):
        return output.write_on_demand(lateral.add_on_demand(features, coarser), out).look_at
    above = F.interpolate(coarser, size=features.shape[-2:])
    output.write(lateral(features, above), out)
    return None


def _cut_off_output(traced: fx.GraphModule) -> list[nn.Module]:
    """Take the last convolutions, those whose results are the graph's, out of it."""
    output = next(node for node in traced.graph.nodes if node.op == "output")
    (last,) = output.args
    layers = [traced.get_submodule(str(node.target)) for node in last]
    output.args = (tuple(node.args[0] for node in last),)
    for node in last:
        traced.graph.erase_node(node)
    traced.recompile()
    traced.delete_all_unused_submodules()
    return layers


def _cut_off_finest_sum(traced: fx.GraphModule) -> FusedConv:
    """Take the lateral convolution of the finest level, and its sum with the next, out of it.

    Instead of the sum, the graph's first result is then what was convolved.
    """
    output = next(node for node in traced.graph.nodes if node.op == "output")
    (levels,) = output.args
    finest, *others = levels
    layer = traced.get_submodule(str(finest.target))
    assert isinstance(layer, FusedConv), "as `fuse` makes it"
    output.args = ((finest.args[0], *others),)
    traced.graph.erase_node(finest)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    traced.delete_all_unused_submodules()
    return layer


def fuse(module: nn.Module, dtype: torch.dtype) -> fx.GraphModule:
    """A module whose convolutions do, too, what directly follows them: norm, sum and activation."""
    traced = fx.GraphModule(module, _Tracer().trace(module))
    for node in list(traced.graph.nodes):
        if isinstance(_layer(node, traced), nn.Conv2d):
            _fuse_convolution(traced, node, dtype)
    _pool_faster(traced)
    _overwrite_what_is_used_up(traced)
    traced.graph.lint()
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced


class _Tracer(fx.Tracer):
    """Convolutions and norms of our own are layers, too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a call of the module is one node of the graph."""
        return isinstance(m, nn.Conv2d | nn.BatchNorm2d | DeformableConv) or super().is_leaf_module(
            m, module_qualified_name
        )


def _fuse_convolution(traced: fx.GraphModule, node: fx.Node, dtype: torch.dtype) -> None:
    """Replace a convolution and what follows it by one layer, where the last of them stood."""
    conv = traced.get_submodule(str(node.target))
    assert isinstance(conv, nn.Conv2d), "checked by the caller"
    last, other = node, None
    norm = _layer(_only_user(last), traced)
    if isinstance(norm, nn.BatchNorm2d):
        last = _only_user(last) or last
    else:
        norm = None
    fused = FusedConv(conv, norm, dtype)
    following = _only_user(last)
    if following is not None and following.target in _ADDITIONS:
        other = next(summand for summand in following.args if summand is not last)
        last, following = following, _only_user(following)
    activation = _activation(following, traced)
    if following is not None and activation in (("relu",) if other else ("relu", "hardtanh")):
        fused.activation, last = activation, following
    name = f"fused_{node.name}"
    traced.add_submodule(name, fused)
    with traced.graph.inserting_before(last):
        arguments = (node.args[0],) if other is None else (node.args[0], other)
        replacement = traced.graph.call_module(name, arguments)
    last.replace_all_uses_with(replacement)
    while last is not node:
        before = next(part for part in last.all_input_nodes if part is not other)
        traced.graph.erase_node(last)
        last = before
    traced.graph.erase_node(node)


def _pool_faster(traced: fx.GraphModule) -> None:
    """Let pooling that follows a ReLU on a CPU know it."""
    for node in traced.graph.nodes:
        pool = _layer(node, traced)
        if not isinstance(pool, nn.MaxPool2d) or not suits_pooled_relu(pool):
            continue
        conv = _layer(node.args[0], traced)
        if not isinstance(conv, FusedConv) or conv.activation != "relu":
            continue
        if has_onednn(conv.weight.device):
            traced.set_submodule(str(node.target), PooledRelu())


def _overwrite_what_is_used_up(traced: fx.GraphModule) -> None:
    """Let sums take the place of maps that nobody looks at any more."""
    before: set[fx.Node] = set()
    for node in traced.graph.nodes:
        layer = _layer(node, traced)
        if isinstance(layer, FusedConv) and len(node.args) > 1:
            features, other = node.args
            is_new = other.target is F.interpolate or isinstance(_layer(other, traced), FusedConv)
            # Anything but a convolution might have handed it on under another name.
            layer.overwrites = (
                is_new
                and other is not features
                and all(
                    user is node or (user in before and isinstance(_layer(user, traced), FusedConv))
                    for user in other.users
                )
            )
        before.add(node)


def _only_user(node: fx.Node | None) -> fx.Node | None:
    """What alone takes the result of a node."""
    return next(iter(node.users)) if node is not None and len(node.users) == 1 else None


def _layer(node: fx.Node | None, traced: fx.GraphModule) -> nn.Module | None:
    if node is None or node.op != "call_module":
        return None
    return traced.get_submodule(str(node.target))


def _activation(node: fx.Node | None, traced: fx.GraphModule) -> str:
    """What a node does, as `FusedConv.activation`."""
    if node is None:
        return "none"
    target: Any = node.target
    if isinstance(_layer(node, traced), nn.ReLU) or target == "relu":
        return "relu"
    return "hardtanh" if target in _RELU6 else "none"


def _faster(module: nn.Module, dtype: torch.dtype) -> nn.Module | None:
    """As `replace_layers` asks for it."""
    if isinstance(module, nn.MultiheadAttention):
        return module  # takes the weights of its layers, not the layers
    if isinstance(module, nn.Sequential) and any(isinstance(part, nn.Conv2d) for part in module):
        fused = fuse(module, dtype)
        replace_layers(fused, _faster_norm)
        return fused
    if isinstance(module, nn.Conv2d):
        return FusedConv(module, None, dtype)
    if isinstance(module, DynamicConv):
        return SplitDynamicConv(module, dtype)
    return packed(module, dtype) if isinstance(module, nn.Linear) else None


def _faster_norm(module: nn.Module) -> nn.Module | None:
    """As `replace_layers` asks for it."""
    if isinstance(module, nn.GroupNorm) and has_onednn(module.weight.device):
        return SmallGroupNorm(module)
    return None


def _join_upsampling(head: Any, dtype: torch.dtype) -> None:
    """Make what follows the convolutions of a mask head one layer."""
    head.logits = UpsampledLogits(head.upsample, head.logits, dtype)
    head.upsample = nn.Identity()
