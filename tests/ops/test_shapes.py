"""Shape contracts name the field and what it should have been."""

import pytest
import torch

from qivis.ops.shapes import check_shapes


def test_letters_bind_across_tensors_and_numbers_are_exact() -> None:
    check_shapes(masks=(torch.zeros(2, 5, 7), "n h w"), boxes=(torch.zeros(2, 4), "n 4"))
    check_shapes(square=(torch.zeros(3, 3), "s s"), nothing=(torch.zeros(0, 4), "n 4"))


@pytest.mark.parametrize(
    ("shape", "pattern", "message"),
    [
        ((3,), "n 4", r"field: expected shape \(n, 4\), got \(3,\)"),
        ((3, 5), "n 4", r"field: expected shape \(n, 4\) with n = 3, got \(3, 5\)"),
        ((2, 3), "s s", r"field: expected shape \(s, s\) with s = 2, s = 2, got \(2, 3\)"),
    ],
    ids=["dimensions", "number", "letter"],
)
def test_what_does_not_fit_is_named(shape: tuple[int, ...], pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_shapes(field=(torch.zeros(shape), pattern))


def test_the_field_that_breaks_the_bond_is_named() -> None:
    with pytest.raises(ValueError, match=r"^scores: .*n = 3, got \(2,\)"):
        check_shapes(boxes=(torch.zeros(3, 4), "n 4"), scores=(torch.zeros(2), "n"))
