"""What the class indices mean: names, and the ids that data sets give them."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """id: the data set's number for the class. name: its name."""

    id: int
    name: str


@dataclass(frozen=True)
class Categories:
    """K classes; `entries[label]` is the class with index `label`."""

    entries: tuple[Category, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Category]:
        return iter(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """K names, in the order of the labels."""
        return tuple(category.name for category in self.entries)

    def label_of(self, category_id: int) -> int:
        """The class index of a data set's category id.

        Raises:
            KeyError: if no class has this id.
        """
        for label, category in enumerate(self.entries):
            if category.id == category_id:
                return label
        raise KeyError(category_id)
