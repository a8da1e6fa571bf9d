"""What objects are called, for callers who bring the names of classes along."""

from collections.abc import Sequence

from torch import Tensor

from qivis.errors import DataError


def names_of(labels: Tensor, names: Sequence[str]) -> list[str]:
    """The names of N objects.

    Args:
        labels: (N,), in [0, K).
        names: of the K classes.

    Raises:
        DataError: if that is something else, or less than a name for each class that occurs.
    """
    try:
        return [str(names[label]) for label in labels.tolist()]
    except (TypeError, LookupError) as error:
        given = type(names).__name__
        if isinstance(names, Sequence):
            given = f"a {given} of {len(names)}, but an object has label {int(labels.max())}"
        raise DataError(
            "names: expected a sequence with the name of each class, such as "
            f"predictor.categories.names, got {given}"
        ) from error
