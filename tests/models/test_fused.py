from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qivis.models import fused
from qivis.models.dynamic_conv import DynamicConv
from qivis.models.efficientnet_lite import SameConv2d
from qivis.models.fused import (
    FusedConv,
    PackedLinear,
    SplitDynamicConv,
    UpsampledLogits,
    _PackedConv,
    has_onednn,
)
from qivis.models.mask_head import ClassLogits

CLOSE = {torch.float32: {"rtol": 1e-4, "atol": 1e-5}, torch.bfloat16: {"rtol": 0.02, "atol": 0.05}}
ON_CPU = pytest.mark.skipif(not has_onednn(torch.device("cpu")), reason="PyTorch without oneDNN")


def norm(width):
    layer = nn.BatchNorm2d(width).eval()
    for values in (layer.weight, layer.running_var):
        nn.init.uniform_(values, 0.5, 2)
    for values in (layer.bias, layer.running_mean):
        nn.init.uniform_(values, -1, 1)
    return layer


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def dtype(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["onednn", "step by step"])
def fused_conv(request, monkeypatch):
    """Makes fused convolutions for devices with and without oneDNN."""
    if not request.param:
        monkeypatch.setattr("qivis.models.fused.has_onednn", lambda _: False)
    return FusedConv


@torch.inference_mode()
@pytest.mark.parametrize(
    ("activation", "with_other"),
    [("none", False), ("relu", False), ("hardtanh", False), ("none", True), ("relu", True)],
)
def test_norm_sum_and_activation_are_those_of_the_layers_one_after_the_other(
    fused_conv, dtype, activation, with_other
):
    torch.manual_seed(0)
    conv, batch_norm = nn.Conv2d(4, 6, 3, stride=2, padding=1), norm(6)
    features, other = 6 * torch.randn(2, 4, 9, 12), 3 * torch.randn(2, 6, 5, 6)
    fused = fused_conv(conv, batch_norm, dtype)
    fused.activation = activation
    expected = batch_norm(conv(features)) + other * with_other
    expected = {"none": expected, "relu": expected.relu(), "hardtanh": F.relu6(expected)}
    assert expected["none"].max() > 6  # so that each of the three gives something else
    result = fused(features.to(dtype), other.to(dtype) if with_other else None)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), expected[activation], **CLOSE[dtype])


@torch.inference_mode()
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("groups", [1, 4])
def test_padding_of_the_odd_pixel_is_part_of_the_kernel(fused_conv, kernel, groups):
    torch.manual_seed(0)
    conv = SameConv2d(4, 8, kernel, stride=2, groups=groups)
    features = torch.randn(1, 4, 16, 10)
    result = fused_conv(conv, None, torch.float32)(features)
    torch.testing.assert_close(result, conv(features), **CLOSE[torch.float32])


@torch.inference_mode()
@pytest.mark.parametrize("channels", [4, 128])  # by Winograd's way, too
def test_maps_of_other_sizes_and_numbers_are_convolved_as_well(fused_conv, channels, dtype):
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, channels, 3, padding=1)
    fused = fused_conv(conv, None, dtype)
    for count, side in ((1, 16), (1, 40), (3, 40), (1, 16)):
        features = torch.randn(count, channels, side, side)
        result = fused(features.to(dtype)).float()
        torch.testing.assert_close(result, conv(features), rtol=0.02, atol=4 * CLOSE[dtype]["atol"])


@torch.inference_mode()
@pytest.mark.parametrize("channels", [4, 128])  # by Winograd's way, too
def test_what_is_written_somewhere_is_what_is_returned_else(fused_conv, channels, dtype):
    torch.manual_seed(0)
    fused = fused_conv(nn.Conv2d(channels, channels, 3, padding=1), None, dtype)
    features = torch.randn(1, channels, 16, 18).to(dtype)
    out = torch.empty(1, 16, 18, channels, dtype=dtype).permute(0, 3, 1, 2)
    fused.write(features, out)
    assert torch.equal(out, fused(features))


@ON_CPU
@torch.inference_mode()
def test_what_waits_is_what_would_have_been_written(dtype):
    torch.manual_seed(0)
    lateral = FusedConv(nn.Conv2d(5, 128, 1), None, dtype)
    output = FusedConv(nn.Conv2d(128, 128, 3, padding=1), None, dtype)
    features = torch.randn(1, 5, 32, 48).to(dtype).to(memory_format=torch.channels_last)
    coarser = torch.randn(1, 128, 16, 24).to(dtype).to(memory_format=torch.channels_last)
    expected = output(lateral(features, F.interpolate(coarser, scale_factor=2)))
    found = torch.full_like(expected, torch.nan)
    assert output.can_wait(features)
    waiting = output.write_on_demand(lateral.add_on_demand(features, coarser), found)
    assert found.isnan().all()
    corners = torch.tensor([[0, 0]]), torch.tensor([[47, 31]])
    waiting.look_at(torch.tensor([0]), *corners)
    torch.testing.assert_close(found.float(), expected.float(), **CLOSE[dtype])


@ON_CPU
@pytest.mark.parametrize(
    ("channels", "size", "waits"),
    [(128, (8, 12), True), (128, (8, 10), False), (128, (7, 12), False), (64, (8, 12), False)],
)
def test_wide_layers_can_wait_for_maps_of_whole_tiles(channels, size, waits):
    layer = FusedConv(nn.Conv2d(channels, channels, 3, padding=1), None, torch.float32)
    assert layer.can_wait(torch.randn(1, 5, *size)) == waits


@ON_CPU
@torch.inference_mode()
@pytest.mark.parametrize(("most_sizes", "kept"), [(1, [8, 5, 8]), (2, [8, 5])])
def test_weights_are_packed_once_for_each_size_that_is_kept(most_sizes, kept):
    conv = _PackedConv(torch.randn(6, 4, 1, 1), torch.zeros(6), ([0, 0], [1, 1], [1, 1], 1))
    conv.most_sizes = most_sizes
    packed = {}
    for side in (8, 8, 5, 5, 8):
        conv(torch.randn(1, 4, side, side))
        assert len(conv._kept) <= most_sizes
        packed |= {id(weight): (size, weight) for size, weight in conv._kept.items()}
    assert [size for size, _ in packed.values()] == [(4, side, side) for side in kept]
    assert all(weight.is_mkldnn for _, weight in packed.values())


@ON_CPU
@torch.inference_mode()
def test_how_many_maps_there_are_does_not_count_for_packing():
    conv = _PackedConv(torch.randn(6, 4, 1, 1), torch.zeros(6), ([0, 0], [1, 1], [1, 1], 1))
    conv(torch.randn(3, 4, 8, 8))
    kept = conv._kept
    conv(torch.randn(5, 4, 8, 8))
    assert conv._kept is kept


@ON_CPU
@torch.inference_mode()
def test_threads_may_see_maps_of_different_sizes_at_once():
    torch.manual_seed(0)
    conv = nn.Conv2d(128, 128, 3, padding=1)
    fused = FusedConv(conv, None, torch.float32)
    maps = [torch.randn(1, 128, side, side) for side in (8, 16, 24)]  # the first not Winograd's way
    expected = [fused(features) for features in maps]

    def convolve_all(_):
        return [torch.equal(fused(m), e) for m, e in zip(maps, expected, strict=True)]

    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(torch.inference_mode()(convolve_all), range(24)))
    assert same == [[True] * 3] * 24


@ON_CPU
@torch.inference_mode()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5)])
def test_a_packed_layer_is_the_linear_one(dtype, bias, shape):
    torch.manual_seed(0)
    linear = nn.Linear(5, 7, bias=bias)
    features = torch.randn(shape)
    result = PackedLinear(linear, dtype)(features.to(dtype))
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), linear(features), **CLOSE[dtype])


@pytest.fixture
def winograd_calls(monkeypatch):
    """The shapes of maps that were convolved in Winograd's way."""
    calls = []
    convolve = fused.convolve
    monkeypatch.setattr(
        fused, "convolve", lambda *args: calls.append(tuple(args[0].shape)) or convolve(*args)
    )
    return calls


@ON_CPU
@torch.inference_mode()
@pytest.mark.parametrize("activation", ["none", "relu", "hardtanh"])
def test_wide_3_x_3_convolutions_go_winograds_way(winograd_calls, dtype, activation):
    torch.manual_seed(0)
    conv, batch_norm = nn.Conv2d(128, 160, 3, padding=1, bias=False), norm(160)
    features = 6 * torch.randn(2, 128, 13, 11)
    layer = FusedConv(conv, batch_norm, dtype)
    layer.activation = activation
    expected = batch_norm(conv(features))
    expected = {"none": expected, "relu": expected.relu(), "hardtanh": F.relu6(expected)}
    result = layer(features.to(dtype))
    assert winograd_calls == [(2, 128, 13, 11)]
    assert result.dtype == dtype
    close = {torch.float32: 1e-5, torch.bfloat16: 0.03}[dtype] * expected["none"].std()
    assert (result.float() - expected[activation]).abs().mean() < close


@ON_CPU
@torch.inference_mode()
@pytest.mark.parametrize(
    ("geometry", "size"),
    [
        ({"padding": 1, "stride": 2}, (16, 16)),
        ({"padding": 0}, (16, 16)),
        ({"padding": 2, "dilation": 2}, (16, 16)),
        ({"padding": 1, "groups": 2}, (16, 16)),
        ({"padding": 1}, (8, 20)),  # ten tiles
        ({"padding": 1}, (13, 10)),  # a third of what is in twelve tiles is outside
    ],
)
def test_other_convolutions_do_not(winograd_calls, geometry, size):
    conv = nn.Conv2d(128, 128, 3, **geometry)
    features = torch.randn(1, 128, *size)
    result = FusedConv(conv, None, torch.float32)(features)
    torch.testing.assert_close(result, conv(features), **CLOSE[torch.float32])
    assert not winograd_calls


@ON_CPU
@torch.inference_mode()
def test_a_wide_convolution_with_a_sum_does_not(winograd_calls):
    conv = nn.Conv2d(128, 128, 3, padding=1)
    features, other = torch.randn(2, 1, 128, 16, 16)
    result = FusedConv(conv, None, torch.float32)(features, other)
    torch.testing.assert_close(result, conv(features) + other, **CLOSE[torch.float32])
    assert not winograd_calls


@ON_CPU
@torch.inference_mode()
def test_a_map_convolved_alone_is_bit_for_bit_what_it_is_among_others(dtype):
    torch.manual_seed(0)
    layer = FusedConv(nn.Conv2d(128, 128, 3, padding=1), None, dtype)
    features = torch.randn(15, 128, 14, 14).to(dtype)
    together = layer(features)
    for count in (0, 1, 2, 7):
        assert torch.equal(layer(features[:count]), together[:count])


@torch.inference_mode()
@pytest.mark.parametrize("count", [3, 0])
def test_logits_of_an_upsampled_map_are_those_of_the_layers_one_after_the_other(dtype, count):
    torch.manual_seed(0)
    upsample, logits = nn.ConvTranspose2d(6, 5, 2, stride=2), ClassLogits(5, 4)
    features, labels = torch.randn(count, 6, 3, 5), torch.arange(count) + 1
    expected = logits(upsample(features).relu(), labels)
    result = UpsampledLogits(upsample, logits, dtype)(features.to(dtype), labels)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), expected, **CLOSE[dtype])


@torch.inference_mode()
def test_logits_of_a_map_alone_are_bit_for_bit_what_they_are_among_others(dtype):
    torch.manual_seed(0)
    layer = UpsampledLogits(nn.ConvTranspose2d(96, 96, 2, stride=2), ClassLogits(96, 3), dtype)
    features, labels = torch.randn(15, 96, 14, 14).to(dtype), torch.arange(15) % 3
    together = layer(features, labels)
    for count in (1, 2, 7):
        assert torch.equal(layer(features[:count], labels[:count]), together[:count])


@torch.inference_mode()
@pytest.mark.parametrize("count", [3, 0])
def test_a_dynamic_convolution_with_two_layers_is_the_one_with_one(dtype, count):
    torch.manual_seed(0)
    conv = DynamicConv(6, 4)
    queries, features = torch.randn(count, 6), torch.randn(count, 9, 6)
    expected = conv(queries, features)
    split = SplitDynamicConv(conv, dtype)
    split.to(dtype)
    result = split(queries.to(dtype), features.to(dtype))
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), expected, rtol=0.02, atol=CLOSE[dtype]["atol"] * 2)
