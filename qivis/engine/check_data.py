"""The data doctor: looks sets through, tells what it found, and writes a page about it."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import torch

from qivis.config.schema import DataConfig
from qivis.data.check import check_sets
from qivis.data.contents import Contents, NamedSet, read_contents
from qivis.data.geometry import resize
from qivis.data.images import read_image
from qivis.errors import DataError
from qivis.ops import images
from qivis.structures.data_check import Alike, ClassCount, DataCheck, Fault, SetFigures
from qivis.viz.data_report import to_jpeg, write_data_report
from qivis.viz.overlay import draw_annotated

SAMPLES = 12  # pictures of each set that are drawn
TWINS = 40  # pairs that are shown; all are listed
HIGHEST = 320  # pixels, the height of pictures on the page; lower ones stay as they are
LISTED = 20  # faults of a kind, classes, and similar pairs that are printed; the page has all
BAR = 30  # characters


def check_data(
    sets: Sequence[NamedSet], config: DataConfig, root: Path, title: str, page: Path
) -> DataCheck:
    """Look through sets that are trained on and measured on together, and write the page.

    Args:
        sets: which.
        config: which classes are learned, and what is left out.
        root: the data root.
        title: of the page.
        page: its file.

    Raises:
        DataError: if an annotation file cannot be read, or the page not be written.
    """
    contents = [read_contents(named, config, root) for named in sets]
    check = check_sets(contents, config)
    samples = [list(_samples(some)) for some in contents]
    try:
        write_data_report(check, title, samples, dict(_twins(check)), page)
    except OSError as error:
        raise DataError(f"{page}: cannot be written ({error.strerror}); see --out") from error
    return check


def as_text(check: DataCheck) -> str:
    """The figures, and pictures that are nearly the same, to read."""
    parts = ["\n".join(_set_lines(figures)) for figures in check.sets]
    if check.similar:
        parts.append("\n".join(_similar_lines(check.similar)))
    return "\n\n".join(parts)


def as_list(faults: Sequence[Fault]) -> str:
    """How many faults there are; by kind, the first ones of each."""
    lines = [f"{len(faults):,} fault{'s' if len(faults) > 1 else ''}"]
    for kind, some in groupby(sorted(faults, key=lambda fault: fault.kind), lambda f: f.kind):
        texts = [fault.text for fault in some]
        lines += [f"{kind}: {text}" for text in texts[:LISTED]]
        if len(texts) > LISTED:
            lines.append(f"{kind}: and {len(texts) - LISTED:,} more, which the page lists")
    return "\n".join(lines)


def _samples(contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Captions and drawn pictures of a set, spread evenly over those that show objects."""
    shown = sorted({box.picture for box in contents.boxes})
    chosen = (
        shown
        if len(shown) <= SAMPLES
        else [shown[round(step)] for step in torch.linspace(0, len(shown) - 1, SAMPLES).tolist()]
    )
    for index in chosen:
        picture = contents.pictures[index]
        try:
            sample = contents.sample(index)
        except DataError:  # it is among the faults
            continue
        drawn = draw_annotated(resize(sample, _on_page(sample.targets.size)), contents.class_names)
        yield f"{picture.name} ({picture.path.name})", to_jpeg(drawn)


def _twins(check: DataCheck) -> Iterator[tuple[Path, bytes]]:
    shown = (*check.same[:TWINS], *check.similar[:TWINS])
    for path in {picture.path for alike in shown for picture in alike.pictures}:
        image = read_image(path)
        small = images.resize(image, _on_page((image.shape[1], image.shape[2])))
        yield path, to_jpeg(small.permute(1, 2, 0).numpy())


def _on_page(size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of a picture to (H, W) on the page, where tags can be read without enlarging it."""
    shrink = min(1.0, HIGHEST / size[0])
    return max(1, round(shrink * size[0])), max(1, round(shrink * size[1]))


def _set_lines(figures: SetFigures) -> Iterator[str]:
    yield figures.name
    if figures.videos:
        yield _line("videos", f"{figures.videos:,}")
    yield _line("frames" if figures.videos else "pictures", f"{figures.pictures:,}")
    yield _line("annotations", f"{figures.annotations:,}")
    spread = f"median {figures.median_objects:g}, at most {figures.most_objects}"
    yield _line("objects a picture", spread)
    yield _line("areas", _areas(figures.areas))
    yield _line("width x height", _sizes(figures))
    for entry in figures.left_out:
        yield _line("left out", f"{entry.what}: {entry.count:,} ({entry.why})")
    yield from _class_lines(figures.classes)


def _line(name: str, text: str) -> str:
    return f"  {name:<18} {text}"


def _areas(areas: tuple[int, int, int]) -> str:
    total = max(sum(areas), 1)
    names = ("small", "medium", "large")
    shares = (f"{n} {100 * a / total:.1f} %" for n, a in zip(names, areas, strict=True))
    return ", ".join(shares)


def _sizes(figures: SetFigures) -> str:
    shown = [f"{width} x {height}: {n:,}" for (height, width), n in figures.sizes[:3]]
    more = len(figures.sizes) - len(shown)
    return ", ".join([*shown, f"{more:,} more sizes"] if more else shown)


def _class_lines(classes: Sequence[ClassCount]) -> Iterator[str]:
    """A histogram, the most frequent first, then the names of those that are nowhere."""
    found = sorted((c for c in classes if c.objects), key=lambda entry: -entry.objects)
    width = max((len(entry.name) for entry in found[:LISTED]), default=0)
    for entry in found[:LISTED]:
        bar = "#" * max(1, round(BAR * entry.objects / found[0].objects))
        counts = f"{entry.objects:>9,} in {entry.pictures:>7,}"
        yield _line("", f"{entry.name:<{width}} {counts}  {bar}")
    if len(found) > LISTED:
        rest = sum(entry.objects for entry in found[LISTED:])
        yield _line("", f"{len(found) - LISTED} more classes with {rest:,} objects")
    missing = [entry.name for entry in classes if not entry.objects]
    if missing:
        yield _line("no object of", ", ".join(missing))


def _similar_lines(similar: Sequence[Alike]) -> Iterator[str]:
    yield "nearly the same, to be looked at (no faults)"
    for alike in similar[:LISTED]:
        leak = ", trained on and measured on" if alike.is_leak else ""
        yield f"  {alike} alike by {alike.likeness:.3f}{leak}"
    if len(similar) > LISTED:
        yield f"  and {len(similar) - LISTED:,} more, which the page shows"
