import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qivis.models.fpn import Fpn
from qivis.models.on_demand_learning import ConvolutionOnDemand, PyramidOnDemand
from qivis.models.winograd_conv import WinogradConv2d, learn_by_winograd
from qivis.ops import winograd_learning
from qivis.ops.roi_align import LaidOutPyramid, flatten_pyramid, roi_align_pyramid

HEIGHT, WIDTH = 32, 48
ROWS, COLUMNS = HEIGHT // 4, WIDTH // 4


class Layer:
    """A convolution of two maps on demand, from 5 channels to 6, and what it is to find."""

    def __init__(self):
        torch.manual_seed(0)
        self.features = channels_last(torch.randn(2, 5, HEIGHT, WIDTH, dtype=torch.float64))
        self.weight = torch.randn(6, 5, 3, 3, dtype=torch.float64)
        self.bias = torch.randn(6, dtype=torch.float64)
        self.out = channels_last(torch.full((2, 6, HEIGHT, WIDTH), torch.nan, dtype=torch.float64))
        self.maps = ConvolutionOnDemand(self.features, self.weight, self.bias, self.out)

    def look_at(self, *regions):
        """Regions: image, x and y of the first pixel, x and y of the last."""
        table = torch.tensor(regions, dtype=torch.int64).view(-1, 5)
        self.maps.look_at(table[:, 0], table[:, 1:3], table[:, 3:])

    def written(self):
        """(2, H, W) which pixels have results; these are checked."""
        known = ~self.out.isnan()
        expected = F.conv2d(self.features, self.weight, self.bias, padding=1)
        torch.testing.assert_close(self.out[known], expected[known], rtol=0, atol=1e-11)
        return known.all(dim=1)

    def check_gradients(self, gradient):
        """Those of what PyTorch convolves."""
        leaves = [
            tensor.clone().requires_grad_() for tensor in (self.features, self.weight, self.bias)
        ]
        expected = torch.autograd.grad(F.conv2d(*leaves, padding=1), leaves, gradient)
        for found, right in zip(self.maps.gradients(gradient), expected, strict=True):
            torch.testing.assert_close(found, right, rtol=0, atol=1e-10)


def channels_last(maps):
    return maps.to(memory_format=torch.channels_last)


def test_results_are_there_where_somebody_looked_and_nowhere_else():
    layer = Layer()
    layer.look_at((0, 5, 0, 11, 8), (1, 47, 31, 47, 31))
    expected = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    expected[0, :12, 4:12] = True  # tiles of 4 x 4 pixels
    expected[1, 28:, 44:] = True
    assert torch.equal(layer.written(), expected)


@pytest.mark.parametrize("tiles", [1, 7, 330])
def test_gradients_are_those_of_the_convolution_however_often_somebody_looked(monkeypatch, tiles):
    monkeypatch.setattr("qivis.models.on_demand_learning.TILES_AT_ONCE", tiles)
    layer = Layer()
    layer.look_at((0, 5, 0, 11, 8), (1, 47, 31, 47, 31), (0, 30, 20, 33, 29))
    layer.look_at()
    layer.look_at((0, 5, 0, 15, 15), (1, 0, 0, 3, 3))  # some of it is there
    seen = layer.written()[:, None]
    gradient = channels_last(torch.randn(2, 6, HEIGHT, WIDTH, dtype=torch.float64) * seen)
    layer.check_gradients(gradient)


def test_what_nobody_looked_at_has_no_gradients():
    layer = Layer()
    layer.check_gradients(channels_last(torch.zeros(2, 6, HEIGHT, WIDTH, dtype=torch.float64)))


def test_nothing_is_computed_twice(monkeypatch):
    counts = []
    convolve_tiles = winograd_learning.convolve_tiles

    def counting(tiles, *rest):
        counts.append(len(tiles))
        return convolve_tiles(tiles, *rest)

    monkeypatch.setattr("qivis.models.on_demand_learning.convolve_tiles", counting)
    layer = Layer()
    layer.look_at((0, 0, 0, 15, 15), (0, 8, 8, 15, 15))
    layer.look_at((0, 0, 0, 15, 15))
    layer.look_at((0, 0, 0, 16, 15), (1, 0, 0, 0, 0))  # another column of tiles, and one tile
    assert counts == [16, 5]


def network():
    """A pyramid network of 96 channels, its maps, and boxes, of which one alone is large."""
    torch.manual_seed(0)
    maps = [channels_last(torch.randn(2, 8, HEIGHT >> level, WIDTH >> level)) for level in range(4)]
    boxes = torch.tensor([[8.0, 8.0, 40.0, 60.0], [150.0, 90.0, 199.0, 140.0], [0, 0, 190, 125]])
    fpn = Fpn([8] * 4, 96).to(memory_format=torch.channels_last)
    return fpn, maps, boxes


def pooled(pyramid, boxes):
    """Features of boxes, which are of the images in turn: of the first, and then of all."""
    rows, images = flatten_pyramid(pyramid), torch.arange(len(boxes)) % 2
    parts = [(boxes[:count], images[:count]) for count in (1, len(boxes))]
    return torch.cat([roi_align_pyramid(rows, *part, 7, 2) for part in parts])


def learned(fpn, maps, boxes):
    """Features of boxes, and the gradients of maps and weights; coarser levels are used alone."""
    leaves = [level.clone().requires_grad_() for level in maps]
    pyramid = fpn(leaves)
    found = pooled(pyramid, boxes)
    loss = found.square().sum() + sum(level.square().sum() for level in pyramid[1:])
    return found, *torch.autograd.grad(loss, [*leaves, *fpn.parameters()])


def faster(fpn):
    fpn = copy.deepcopy(fpn)
    learn_by_winograd(fpn)
    fpn.output[0] = WinogradConv2d(fpn.output[0])  # whatever the processor
    object.__setattr__(fpn, "forward", PyramidOnDemand(fpn))
    return fpn


def test_boxes_find_the_same_and_teach_the_same():
    fpn, maps, boxes = network()
    for found, right in zip(
        learned(faster(fpn), maps, boxes), learned(fpn, maps, boxes), strict=True
    ):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-3)


def test_what_no_small_box_looks_at_is_not_computed():
    fpn, maps, boxes = network()
    pyramid = faster(fpn)([level.requires_grad_() for level in maps])
    assert isinstance(pyramid, LaidOutPyramid)
    assert not pyramid[0].requires_grad
    pyramid[0].fill_(torch.nan)
    assert pooled(pyramid, boxes).isfinite().all()
    # The first box lies in columns 2 to 10 and rows 2 to 15, the second in 37 to 47 and 22 to 31.
    known = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    known[0, :16, :12] = True
    known[1, 20:, 36:] = True
    assert torch.equal(~pyramid[0].isnan().any(dim=1), known)


def test_large_boxes_alone_teach_the_finest_level_nothing():
    fpn, maps, boxes = network()
    fast = faster(fpn)
    pooled(fast([level.requires_grad_() for level in maps]), boxes[2:]).sum().backward()
    assert not fast.output[0].weight.grad.any()
    assert not fast.output[0].bias.grad.any()
    assert fast.output[1].weight.grad.any()


@pytest.mark.parametrize(
    "why", ["no gradients", "half precision", "frozen weight", "maps of other sizes"]
)
def test_else_nothing_waits(why):
    fpn, maps, _ = network()
    fast = faster(fpn)
    if why == "frozen weight":
        fast.output[0].weight.requires_grad_(False)
    if why == "maps of other sizes":
        maps = [level[..., : 46 >> index] for index, level in enumerate(maps)]  # 11.5 tiles wide
    with (
        torch.set_grad_enabled(why != "no gradients"),
        torch.autocast("cpu", torch.bfloat16, enabled=why == "half precision"),
    ):
        found, expected = fast(maps), fpn(maps)
    assert not isinstance(found, LaidOutPyramid)
    for level, right in zip(found, expected, strict=True):
        torch.testing.assert_close(level, right, rtol=1e-5, atol=1e-4)


def test_layers_without_winograd_s_way_have_no_levels_on_demand():
    fpn, maps, _ = network()
    object.__setattr__(fpn, "forward", PyramidOnDemand(fpn))
    assert isinstance(fpn.output[0], nn.Conv2d)
    assert not isinstance(fpn([level.requires_grad_() for level in maps]), LaidOutPyramid)
