"""The pyramid, with weights that let the sums be seen."""

import torch

from qivis.models.fpn import Fpn


def test_coarse_maps_are_added_to_finer_ones() -> None:
    fpn = Fpn((1, 1, 1), width=1)
    with torch.no_grad():
        for lateral, output in zip(fpn.lateral, fpn.output, strict=True):
            lateral.weight.fill_(1)
            output.weight.zero_()
            output.weight[0, 0, 1, 1] = 1  # the pixel itself
    maps = [torch.full((1, 1, side, side), value) for side, value in ((8, 1.0), (4, 10.0))]
    maps.append(torch.tensor([[100.0, 200.0], [300.0, 400.0]])[None, None])
    fine, middle, coarse = fpn(maps)
    assert torch.equal(coarse, maps[2])
    assert middle[0, 0].tolist() == [[110, 110, 210, 210]] * 2 + [[310, 310, 410, 410]] * 2
    assert (fine[0, 0, 0, 0], fine[0, 0, 7, 7]) == (111, 411)


def test_every_level_has_the_width_and_keeps_its_size() -> None:
    fpn = Fpn((3, 5), width=7)
    levels = fpn([torch.randn(2, 3, 6, 10), torch.randn(2, 5, 3, 5)])
    assert [tuple(level.shape) for level in levels] == [(2, 7, 6, 10), (2, 7, 3, 5)]
    assert not any(conv.bias.any() for conv in (*fpn.lateral, *fpn.output))
