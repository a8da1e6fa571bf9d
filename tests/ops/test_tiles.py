import pytest
import torch
from torch.nn import functional as F

from qivis.ops.tiles import result_places, tiling


def maps(images, height, width):
    """Every pixel has another value, none is zero; (B, H, W, 1)."""
    return torch.arange(1.0, images * height * width + 1).view(images, height, width, 1)


def unfolded(pixels):
    """All tiles of (B, H, W, 1), by PyTorch: (B, rows, columns, 36)."""
    images, height, width, _ = pixels.shape
    rows, columns = -(-height // 4), -(-width // 4)
    padded = F.pad(pixels[..., 0], (1, 4 * columns + 1 - width, 1, 4 * rows + 1 - height))
    return padded.unfold(1, 6, 4).unfold(2, 6, 4).reshape(images, rows, columns, 36)


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (5, 7), (14, 14), (1, 1)])
@pytest.mark.parametrize("images", [1, 3])
def test_tiles_overlap_by_two_pixels_and_are_zero_around_the_map(size, images):
    pixels = maps(images, *size)
    expected = unfolded(pixels)
    whole = tiling(images, *size, 0, expected.shape[1])
    assert torch.equal(whole.tiles_of(pixels), expected.reshape(-1, 36, 1))


def test_rows_of_tiles_can_be_taken_alone():
    pixels = maps(1, 14, 9)
    part = tiling(1, 14, 9, 1, 2)
    assert torch.equal(part.tiles_of(pixels), unfolded(pixels)[:, 1:3].reshape(-1, 36, 1))


def test_the_middles_of_tiles_are_the_pixels_of_their_results():
    first, *_, last = tiling(1, 8, 12, 0, 2).middles.windows.view(6, 4, 4)
    assert first[0].tolist() == [0, 1, 2, 3]
    assert last[:, 0].tolist() == [56, 68, 80, 92]  # row 4, column 8 of 12, and below


def test_each_pixel_has_its_place_among_the_results():
    # Two tiles side by side for 3 x 5 pixels: the fifth column is the first of the second tile.
    assert result_places(1, 3, 5, 0, 1).view(3, 5).tolist() == [
        [0, 1, 2, 3, 16],
        [4, 5, 6, 7, 20],
        [8, 9, 10, 11, 24],
    ]
    # The second row of tiles of two maps of 6 x 2 pixels: two rows of pixels are left of it.
    assert result_places(2, 6, 2, 1, 1).view(2, 2, 2).tolist() == [
        [[0, 1], [4, 5]],
        [[16, 17], [20, 21]],
    ]


def test_middles_are_zero_beyond_the_map():
    (middle,) = tiling(1, 2, 3, 0, 1).middles.tiles_of(maps(1, 2, 3)).view(1, 4, 4)
    assert middle.tolist() == [[1, 2, 3, 0], [4, 5, 6, 0], [0] * 4, [0] * 4]


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (5, 7), (14, 14), (1, 1)])
@pytest.mark.parametrize("images", [1, 3])
def test_sums_of_tiles_are_what_folding_them_gives(size, images):
    height, width = size
    rows, columns = -(-height // 4), -(-width // 4)
    tiles = torch.randn(images, rows * columns, 36, 2, generator=torch.Generator().manual_seed(0))
    folded = F.fold(
        tiles.permute(0, 3, 2, 1).reshape(images, 2 * 36, -1),
        (4 * rows + 2, 4 * columns + 2),
        kernel_size=6,
        stride=4,
    )
    expected = folded[:, :, 1 : height + 1, 1 : width + 1].permute(0, 2, 3, 1)
    together = tiling(images, height, width, 0, rows).sums_of(tiles.flatten(0, 1))
    torch.testing.assert_close(together.view_as(expected), expected)
    map_by_map = tiling(1, height, width, 0, rows).sums_of(tiles.flatten(0, 1), images)
    assert torch.equal(map_by_map, together)


def test_pixels_in_no_tile_sum_up_to_nothing():
    # The second row of tiles begins at pixel 3, one above its results.
    sums = tiling(1, 8, 4, 1, 1).sums_of(torch.ones(1, 36, 1)).view(8, 4)
    assert sums.tolist() == [[0.0] * 4] * 3 + [[1.0] * 4] * 5


def test_tiles_of_several_stacks_are_those_of_one_moved_on():
    pixels = maps(6, 5, 7)  # three stacks of two maps
    tiles = torch.tensor([0, 3, 8, 11, 23])
    found = tiling(2, 5, 7, 0, 2).repeated(3, tiles)
    expected = tiling(6, 5, 7, 0, 2).tiles_of(pixels)[tiles]
    assert torch.equal(found.tiles_of(pixels), expected)
    assert found.sums_of(expected).shape == (6 * 5 * 7, 1)
