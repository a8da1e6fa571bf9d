"""What a look through data sets finds, on its way from the data to a person."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ClassCount:
    """objects: boxes of the class, crowds not counted. pictures: that show at least one."""

    name: str
    objects: int
    pictures: int


@dataclass(frozen=True)
class LeftOut:
    """What training does not learn from, and why, in words.

    count: how many of `what`.
    """

    what: str
    count: int
    why: str


@dataclass(frozen=True)
class SetFigures:
    """One data set in numbers.

    name: what it is called in messages.
    videos: how many; 0 in a set of pictures.
    pictures: how many; in videos, frames.
    annotations: of the classes that are asked for, crowds included; in videos, one per object.
    median_objects, most_objects: per picture, crowds not counted.
    sizes: (H, W) in pixels and how many pictures have it, the most frequent first.
    classes: in the order of their labels.
    areas: objects that are small, medium and large by COCO's bounds (32² and 96² pixels).
    left_out: what training leaves out.
    """

    name: str
    videos: int
    pictures: int
    annotations: int
    median_objects: float
    most_objects: int
    sizes: tuple[tuple[tuple[int, int], int], ...]
    classes: tuple[ClassCount, ...]
    areas: tuple[int, int, int]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class ListedPicture:
    """A picture as a set lists it.

    set_name: of the set.
    name: what the set calls the picture, such as `image 9`.
    path: its file.
    """

    set_name: str
    name: str
    path: Path


@dataclass(frozen=True)
class Alike:
    """Two or more pictures that show the same.

    likeness: correlation of their thumbnails; 1 where all pixels are the same.
    is_leak: whether some are trained on and others measured on.
    """

    pictures: tuple[ListedPicture, ...]
    likeness: float
    is_leak: bool

    def __str__(self) -> str:
        by_set = dict[str, list[str]]()
        for picture in self.pictures:
            by_set.setdefault(picture.set_name, []).append(f"{picture.name} ({picture.path.name})")
        return " = ".join(f"{name}: {' = '.join(names)}" for name, names in by_set.items())


@dataclass(frozen=True)
class Fault:
    """kind: such as `missing picture`. text: which one, and what is wrong with it."""

    kind: str
    text: str


@dataclass(frozen=True)
class DataCheck:
    """What was found in the sets that are trained on and measured on together.

    faults: what is wrong.
    same: pictures whose pixels are the same; each is among the faults too.
    similar: pairs that are nearly the same, likeliest first: hints, to be looked at.
    """

    sets: tuple[SetFigures, ...]
    faults: tuple[Fault, ...]
    same: tuple[Alike, ...]
    similar: tuple[Alike, ...]
