"""Looking data sets through: figures, faults, and pictures that are there twice."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from tqdm import tqdm

from qivis.config.schema import DataConfig
from qivis.data.contents import Contents, Picture
from qivis.data.images import read_image, read_image_of_size
from qivis.data.picture_hashes import Fingerprint, fingerprint, similar_pairs
from qivis.errors import DataError
from qivis.structures.data_check import (
    Alike,
    ClassCount,
    DataCheck,
    Fault,
    LeftOut,
    ListedPicture,
    SetFigures,
)

SMALL, MEDIUM = 32**2, 96**2  # pixels, the upper bounds of the official COCO evaluation


def check_sets(sets: Sequence[Contents], config: DataConfig) -> DataCheck:
    """Look through sets that are trained on and measured on together, every picture included.

    Args:
        sets: in the order of the report.
        config: says what training leaves out.
    """
    seen, faults = list[_Seen](), list[Fault]()
    for contents in sets:
        name = contents.origin.name
        faults += [
            Fault(f"rejected {reject.kind}", f"{name}: {reject}") for reject in contents.rejects
        ]
    looks = _look_at_all([picture for contents in sets for picture in contents.pictures])
    for (contents, picture), look in zip(_listed(sets), looks, strict=True):
        if isinstance(look, Fault):
            faults.append(Fault(look.kind, f"{contents.origin.name}: {picture.name}: {look.text}"))
        else:
            seen.append(_Seen(contents, picture, look))
    same = _same(seen)
    faults += [Fault("leak" if twins.is_leak else "duplicate", str(twins)) for twins in same]
    figures = tuple(_figures(contents, config) for contents in sets)
    return DataCheck(figures, tuple(faults), tuple(same), tuple(_similar(seen)))


@dataclass(frozen=True)
class _Seen:
    """A picture that could be read."""

    contents: Contents
    picture: Picture
    print: Fingerprint

    @property
    def scene(self) -> tuple[str, int]:
        """What is filmed twice without being a duplicate: pictures of one scene."""
        return self.contents.origin.name, self.picture.scene


def _listed(sets: Sequence[Contents]) -> Iterator[tuple[Contents, Picture]]:
    for contents in sets:
        for picture in contents.pictures:
            yield contents, picture


def _look_at_all(pictures: Sequence[Picture]) -> list[Fingerprint | Fault]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = pool.map(_look_at, pictures)
        return list(tqdm(looks, "looking", total=len(pictures), unit="picture", disable=None))


def _look_at(picture: Picture) -> Fingerprint | Fault:
    try:
        return fingerprint(read_image_of_size(picture.path, picture.size))
    except DataError as error:
        return Fault(_kind_of_fault(picture), str(error))


def _kind_of_fault(picture: Picture) -> str:
    if not picture.path.is_file():
        return "missing picture"
    try:
        read_image(picture.path)
    except DataError:
        return "unreadable picture"
    return "wrong size"


def _same(seen: Sequence[_Seen]) -> list[Alike]:
    """Scenes that share a picture to the pixel; the first such picture of each."""
    by_digest = defaultdict[bytes, dict[tuple[str, int], _Seen]](dict)
    for entry in seen:
        by_digest[entry.print.digest].setdefault(entry.scene, entry)
    by_scenes = dict[tuple[tuple[str, int], ...], list[_Seen]]()
    for entries in by_digest.values():
        if len(entries) > 1:
            by_scenes.setdefault(tuple(entries), list(entries.values()))
    return sorted((_alike(entries, 1.0) for entries in by_scenes.values()), key=_leaks_first)


def _similar(seen: Sequence[_Seen]) -> list[Alike]:
    """Scenes that share nearly a picture."""
    firsts = list({entry.print.digest: entry for entry in reversed(seen)}.values())[::-1]
    scenes = {entry.scene: number for number, entry in enumerate(firsts)}
    pairs = similar_pairs([e.print for e in firsts], [scenes[e.scene] for e in firsts])
    found = [_alike((firsts[first], firsts[second]), value) for first, second, value in pairs]
    return sorted(found, key=_leaks_first)


def _alike(entries: Sequence[_Seen], likeness: float) -> Alike:
    pictures = tuple(
        ListedPicture(entry.contents.origin.name, entry.picture.name, entry.picture.path)
        for entry in entries
    )
    uses = {entry.contents.origin.is_measured_on for entry in entries}
    return Alike(pictures, likeness, is_leak=len(uses) > 1)


def _leaks_first(alike: Alike) -> bool:
    return not alike.is_leak


def _figures(contents: Contents, config: DataConfig) -> SetFigures:
    per_picture = Counter(box.picture for box in contents.boxes)
    counts = [per_picture[index] for index in range(len(contents.pictures))]
    areas = [box.area for box in contents.boxes]
    small, medium = (sum(area < bound for area in areas) for bound in (SMALL, MEDIUM))
    return SetFigures(
        name=contents.origin.name,
        videos=contents.videos,
        pictures=len(contents.pictures),
        annotations=contents.annotations,
        median_objects=median(counts) if counts else 0,
        most_objects=max(counts, default=0),
        sizes=tuple(Counter(picture.size for picture in contents.pictures).most_common()),
        classes=_classes(contents),
        areas=(small, medium - small, len(areas) - medium),
        left_out=tuple(entry for entry in _left_out(contents, config) if entry.count),
    )


def _classes(contents: Contents) -> tuple[ClassCount, ...]:
    objects = Counter(box.label for box in contents.boxes)
    pictures = Counter(label for _, label in {(box.picture, box.label) for box in contents.boxes})
    return tuple(
        ClassCount(name, objects[label], pictures[label])
        for label, name in enumerate(contents.class_names)
    )


def _left_out(contents: Contents, config: DataConfig) -> Iterator[LeftOut]:
    others = Counter(contents.other_classes)
    listed = ", ".join(f"{name} {count}" for name, count in others.most_common(5))
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    yield LeftOut("annotations of other classes", others.total(), f"not asked for: {listed}{more}")
    rejected = len(contents.rejects)
    yield LeftOut("rejected entries", rejected, "they do not fit the format; see the faults")
    if contents.origin.is_measured_on:
        yield LeftOut("crowds", contents.crowds, "what is found in them is not counted")
        return
    shielded = "regions to ignore in training (data.ignore_regions)"
    crowds = shielded if config.ignore_regions else "not learned (data.ignore_regions is false)"
    yield LeftOut("crowds", contents.crowds, crowds)
    yield LeftOut("objects below one pixel", contents.slivers, "too small to be learned")
    empty = [picture for picture in contents.pictures if not picture.num_objects]
    if contents.videos:
        yield LeftOut("frames without objects", len(empty), "no clip is drawn around them")
        return
    small = sum(min(picture.size) < config.min_side for picture in contents.pictures)
    yield LeftOut("small pictures", small, f"a side below {config.min_side} px (data.min_side)")
    if not config.keep_empty:
        large = sum(min(picture.size) >= config.min_side for picture in empty)
        yield LeftOut("pictures without objects", large, "data.keep_empty is false")
