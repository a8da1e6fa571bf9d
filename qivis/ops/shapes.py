"""Shape contracts: one check per record, with letters that bind across its tensors."""

from torch import Tensor


def check_shapes(**fields: tuple[Tensor, str]) -> None:
    """Check that tensors have the stated shapes.

    Args:
        **fields: name = (tensor, pattern); a pattern lists one word per dimension. A number must be
            met exactly, a letter stands for the same length wherever it occurs.

    Raises:
        ValueError: naming the field, the pattern, and the shape that came.

    >>> import torch
    >>> check_shapes(boxes=(torch.zeros(3, 4), "n 4"), scores=(torch.zeros(3), "n"))
    >>> check_shapes(boxes=(torch.zeros(3, 4), "n 4"), scores=(torch.zeros(2), "n"))
    Traceback (most recent call last):
    ...
    ValueError: scores: expected shape (n) with n = 3, got (2,)
    """
    bound: dict[str, int] = {}
    for name, (tensor, pattern) in fields.items():
        words = pattern.split()
        fits = tensor.dim() == len(words) and all(
            length == (int(word) if word.isdigit() else bound.setdefault(word, length))
            for word, length in zip(words, tensor.shape, strict=True)
        )
        if not fits:
            letters = ", ".join(f"{word} = {bound[word]}" for word in words if word in bound)
            known = f" with {letters}" if letters else ""
            raise ValueError(
                f"{name}: expected shape ({', '.join(words)}){known}, got {tuple(tensor.shape)}"
            )
