from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from qivis.config.schema import InputConfig
from qivis.models.inputs import prepare
from qivis.models.on_demand import OnDemand, SumsOnDemand
from qivis.models.optimize import optimize
from qivis.ops.roi_align import flatten_pyramid, roi_align_pyramid
from qivis.ops.winograd import bias_at_points, transform_kernel
from tests.tiny import FEATURIZED, TINY, noise, spread_scores, tiny_model

HEIGHT, WIDTH = 32, 48
ROWS, COLUMNS = HEIGHT // 4, WIDTH // 4


class Layer:
    """A convolution of two maps on demand, what it is to find, and the tiles that it convolved."""

    def __init__(self):
        torch.manual_seed(0)
        weight, bias = torch.randn(6, 5, 3, 3), torch.randn(6)
        features = torch.randn(2, HEIGHT, WIDTH, 5).permute(0, 3, 1, 2)
        self.expected = F.conv2d(features, weight, bias, padding=1)
        self.out = torch.full((2, HEIGHT, WIDTH, 6), torch.nan).permute(0, 3, 1, 2)
        kernel, summand = transform_kernel(weight), bias_at_points(bias)
        self.counts = []

        def multiply(values):
            self.counts.append(len(values))
            return torch.einsum("tpc,pcd->tpd", values, kernel) + summand

        nothing = torch.zeros(2, HEIGHT // 2, WIDTH // 2, 5).permute(0, 3, 1, 2)
        self.maps = OnDemand(SumsOnDemand(features, nothing, torch.add), multiply, self.out)

    def look_at(self, *regions):
        """Regions: image, x and y of the first pixel, x and y of the last."""
        table = torch.tensor(regions, dtype=torch.int64).view(-1, 5)
        self.maps.look_at(table[:, 0], table[:, 1:3], table[:, 3:])

    def written(self):
        """(2, ROWS, COLUMNS) which tiles have results; these are checked."""
        known = ~self.out.isnan()
        torch.testing.assert_close(self.out[known], self.expected[known], rtol=0, atol=1e-4)
        tiles = known.all(dim=1).view(2, ROWS, 4, COLUMNS, 4).transpose(2, 3).flatten(3)
        assert torch.equal(tiles.any(dim=3), tiles.all(dim=3)), "whole tiles"
        return tiles.all(dim=3)


def test_results_are_there_where_somebody_looked_and_nowhere_else():
    layer = Layer()
    layer.look_at((0, 5, 0, 11, 8), (1, 47, 31, 47, 31))
    expected = torch.zeros(2, ROWS, COLUMNS, dtype=torch.bool)
    expected[0, :3, 1:3] = True  # pixels 5 to 11 and 0 to 8 lie in tiles 1 to 2 and 0 to 2
    expected[1, 7, 11] = True
    assert torch.equal(layer.written(), expected)


def test_nothing_is_computed_twice():
    layer = Layer()
    layer.look_at((0, 0, 0, 15, 15), (0, 8, 8, 15, 15))
    layer.look_at((0, 0, 0, 15, 15))
    assert layer.counts == [16]
    layer.look_at((0, 0, 0, 16, 15))  # another column of tiles
    assert layer.counts == [16, 16]
    assert layer.written().sum() == 16 + 4


def test_nobody_looks():
    layer = Layer()
    layer.look_at()
    assert not layer.counts
    assert not layer.written().any()


def test_a_whole_map_is_done_in_large_parts_and_the_rest_in_small_ones():
    layer = Layer()
    layer.look_at((1, 0, 0, WIDTH - 1, HEIGHT - 1))
    assert layer.counts == [80, 16]  # 96 tiles
    assert layer.written()[1].all()
    assert not layer.written()[0].any()


class Sums:
    """Two maps of 32 x 48 pixels, 16 x 24 above them, and how many pixels were added at once."""

    def __init__(self):
        torch.manual_seed(0)
        weight = torch.randn(4, 5, 1, 1)
        features = torch.randn(2, HEIGHT, WIDTH, 5).permute(0, 3, 1, 2)
        coarser = torch.randn(2, HEIGHT // 2, WIDTH // 2, 4).permute(0, 3, 1, 2)
        self.expected = F.conv2d(features, weight) + F.interpolate(coarser, scale_factor=2)
        self.counts = []

        def add(maps, above):
            self.counts.append(maps[0, 0].numel())
            return F.conv2d(maps, weight) + above

        self.maps = SumsOnDemand(features, coarser, add)
        self.maps.rows[:, :-1] = torch.nan

    def known(self):
        """(2, H, W) which pixels are there; these are checked."""
        assert not self.maps.rows[:, -1].any()
        result = self.maps.rows[:, :-1].view(2, HEIGHT, WIDTH, 4).permute(0, 3, 1, 2)
        known = ~result.isnan()
        torch.testing.assert_close(result[known], self.expected[known])
        assert torch.equal(known.any(dim=1), known.all(dim=1))
        return known.all(dim=1)


def test_pixels_that_are_asked_for_are_summed_and_no_others():
    sums = Sums()
    pixels = np.array([5, 0, 5, 7 * WIDTH + 3])
    sums.maps.compute(1, pixels)
    expected = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    expected[1, 0, 0] = expected[1, 0, 5] = expected[1, 7, 3] = True
    assert torch.equal(sums.known(), expected)


def test_no_pixel_is_summed_twice():
    sums = Sums()
    sums.maps.compute(0, np.arange(300))
    assert sums.counts == [1024]  # in parts of 1024, or of 128 where they are no more than 256
    sums.maps.compute(0, np.arange(310))
    assert sums.counts == [1024, 128]
    sums.maps.compute(0, np.arange(310))
    assert sums.counts == [1024, 128]
    assert sums.known().sum() == 310


def test_a_convolution_asks_for_the_pixels_under_its_tiles():
    sums = Sums()
    weight = torch.randn(6, 4, 3, 3)
    kernel = transform_kernel(weight)
    out = torch.empty(2, HEIGHT, WIDTH, 6).permute(0, 3, 1, 2)
    layer = OnDemand(sums.maps, lambda values: torch.einsum("tpc,pcd->tpd", values, kernel), out)
    layer.look_at(torch.tensor([0]), torch.tensor([[9, 1]]), torch.tensor([[14, 2]]))
    known = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    known[0, :5, 7:17] = True  # tiles of 4 x 4 pixels, from 8 to 15, and a pixel around them
    assert torch.equal(sums.known(), known)
    expected = F.conv2d(sums.expected, weight, padding=1)
    torch.testing.assert_close(out[0, :, :4, 8:16], expected[0, :, :4, 8:16], rtol=0, atol=1e-4)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_frame_s_results_do_not_depend_on_the_others_of_its_batch(precision):
    model = spread_scores(tiny_model(replace(TINY, width=128)))
    optimize(model, precision)
    images = [noise((64, 96)), noise((64, 96), seed=1)]
    with torch.inference_mode():
        together = model(prepare(images, InputConfig())).stages[-1]
        for index, image in enumerate(images):
            alone = model(prepare([image], InputConfig())).stages[-1]
            assert torch.equal(alone.boxes[0], together.boxes[index])
            assert torch.equal(alone.logits[0], together.logits[index])


@torch.inference_mode()
def test_roi_align_finds_all_that_it_looks_for():
    plain, optimized = (tiny_model(replace(TINY, width=128)) for _ in range(2))
    optimize(optimized)
    batch = prepare([noise((64, 96)), noise((64, 96), seed=1)], InputConfig())
    corners = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([96, 64])
    sides = torch.tensor([[8.0, 8.0], [20.0, 12.0], [60.0, 30.0], [96.0, 64.0], [150.0, 130.0]])
    boxes = torch.cat([corners, corners + sides.repeat(8, 1)], dim=1)  # some leave the picture
    images = torch.arange(40) % 2
    expected = flatten_pyramid(plain.fpn(plain.backbone(batch.tensor)))
    pyramid = optimized.backbone(batch.tensor)
    pyramid[0].fill_(torch.nan)  # nobody has looked yet
    found = roi_align_pyramid(flatten_pyramid(pyramid), boxes, images, 7, 2)
    torch.testing.assert_close(found, roi_align_pyramid(expected, boxes, images, 7, 2))


@torch.inference_mode()
@pytest.mark.parametrize("config", [TINY, FEATURIZED], ids=["learned", "featurized"])
def test_what_no_small_box_looks_at_is_not_computed(config):
    model = tiny_model(replace(config, width=128))
    optimize(model)
    batch = prepare([noise((64, 96))], InputConfig())
    pyramid = model.backbone(batch.tensor)
    pyramid[0].fill_(torch.nan)
    boxes = torch.tensor([[4.0, 4.0, 20.0, 20.0], [0.0, 0.0, 200.0, 200.0]])
    roi_align_pyramid(flatten_pyramid(pyramid), boxes, torch.zeros(2, dtype=torch.int64), 7, 2)
    # The first lies in pixels 1 to 5 of stride 4, two tiles by two; the second is of another level.
    assert pyramid[0][0, :, :8, :8].isfinite().all()
    assert pyramid[0].isnan().any(dim=1).sum() == 16 * 24 - 8 * 8
    assert model.queries(pyramid, batch.grids).boxes.isfinite().all()  # queries do not look there
