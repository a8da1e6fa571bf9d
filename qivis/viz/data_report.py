"""A page about data sets: figures, faults, pictures that are there twice, samples with their masks.

One file that fetches nothing and runs no script. Whatever comes from the data is escaped.
"""

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from PIL import Image

from qivis.files import write_atomically
from qivis.structures.data_check import Alike, ClassCount, DataCheck, Fault, SetFigures
from qivis.viz.outline import Pixels
from qivis.viz.palette import color

QUALITY = 80  # of the JPEGs
SIZES = 8  # sizes of pictures that are told apart
OPEN_FAULTS = 20  # so many of a kind are read at once, more on a click


def to_jpeg(pixels: Pixels) -> bytes:
    """A picture for the page; pixels: (H, W, 3) uint8 RGB."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def write_data_report(
    check: DataCheck,
    title: str,
    samples: Sequence[Sequence[tuple[str, bytes]]],
    twins: Mapping[Path, bytes],
    path: Path,
) -> None:
    """Write the page, whole or not at all.

    Args:
        check: what was found.
        title: of the page, such as the name of the config.
        samples: captions and JPEGs of each set's samples.
        twins: JPEGs of pictures that are there twice, by file; those that are missing are told
            of without their picture.
        path: of the page.
    """
    style = (files("qivis.viz") / "data_report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{digest}'; img-src data:\">",
        f"<title>{escape(title)}: data</title><style>{style}</style></head><body>",
        *_heading(check, title),
        *_faults(check.faults),
        *_alike("Same pixels", "", check.same, twins),
        *_alike(
            "Nearly the same",
            "Hints, to be looked at: thumbnails that are almost alike, as those of a picture that "
            "was saved once more in another size or quality. They do not count as faults.",
            check.similar,
            twins,
        ),
    ]
    for figures, pictures in zip(check.sets, samples, strict=True):
        parts += _set(figures, pictures)
    parts.append("</body></html>\n")
    write_atomically(path, "\n".join(parts).encode("utf-8"))


def _heading(check: DataCheck, title: str) -> Iterator[str]:
    yield f"<h1>{escape(title)}</h1>"
    if check.faults:
        yield f'<p class="alarm">{_count(len(check.faults), "fault")}</p>'
    else:
        yield '<p class="good">No fault was found.</p>'
    rows = [
        (
            escape(figures.name),
            *map(_number, (figures.videos or "-", figures.pictures, figures.annotations)),
            *map(_number, (f"{figures.median_objects:g}", figures.most_objects)),
            *map(_number, _shares(figures.areas)),
        )
        for figures in check.sets
    ]
    spread = ("objects a picture, median", "at most", "small", "medium", "large")
    head = ("set", "videos", "pictures", "annotations", *spread)
    yield f"<section><h2>Sets</h2>{_table(head, rows)}"
    yield (
        '<p class="faint">Objects are small below 32² pixels, large from 96² on, as COCO has it. '
        "Pictures of videos are their frames.</p></section>"
    )


def _faults(faults: Sequence[Fault]) -> Iterator[str]:
    if not faults:
        return
    yield '<section><h2 class="alarm">Faults</h2>'
    for kind, some in groupby(sorted(faults, key=lambda fault: fault.kind), lambda f: f.kind):
        texts = [escape(fault.text) for fault in some]
        is_open = " open" if len(texts) <= OPEN_FAULTS else ""
        yield f"<details{is_open}><summary>{escape(_count(len(texts), kind))}</summary><ul>"
        yield from (f"<li>{text}</li>" for text in texts)
        yield "</ul></details>"
    yield "</section>"


def _alike(
    heading: str, purpose: str, found: Sequence[Alike], pictures: Mapping[Path, bytes]
) -> Iterator[str]:
    if not found:
        return
    yield f'<section><h2>{heading}</h2><p class="faint">{purpose}</p>'
    for alike in found:
        kind = "trained on and measured on" if alike.is_leak else "twice"
        likeness = "" if alike.likeness == 1 else f", alike by {alike.likeness:.3f}"
        yield f'<div class="twins"><p{_alarm(alike.is_leak)}>{kind}{likeness}</p>'
        for picture in alike.pictures:
            caption = f"{escape(picture.set_name)}<br>{escape(picture.name)}"
            caption += f"<br>{escape(picture.path.name)}"
            yield _figure(caption, pictures.get(picture.path))
        yield "</div>"
    yield "</section>"


def _set(figures: SetFigures, samples: Sequence[tuple[str, bytes]]) -> Iterator[str]:
    yield f"<section><h2>{escape(figures.name)}</h2>"
    if figures.left_out:
        yield "<h3>Left out</h3>"
        rows = [
            (_number(entry.count), escape(entry.what), escape(entry.why))
            for entry in figures.left_out
        ]
        yield _table(("", "what", "why"), rows)
    yield "<h3>Classes: objects, and pictures that show them</h3>"
    yield from _histogram(figures.classes)
    yield "<h3>Sizes of pictures, width x height</h3>"
    yield from _sizes(figures)
    yield f"<h3>Samples</h3>{'' if samples else '<p>No picture shows an object.</p>'}"
    yield '<div class="pictures">'
    yield from (_figure(escape(caption), jpeg) for caption, jpeg in samples)
    yield "</div></section>"


def _histogram(classes: Sequence[ClassCount]) -> Iterator[str]:
    """Most frequent first, each in the colour in which samples have it."""
    most = max((entry.objects for entry in classes), default=0)
    labelled = sorted(enumerate(classes), key=lambda entry: -entry[1].objects)
    yield '<ul class="bars">'
    for label, entry in labelled:
        red, green, blue = color(label)
        fill = f' fill="rgb({red} {green} {blue})"'
        share = entry.objects / most if most else 0
        yield _bar(entry.name, share, f"{entry.objects:,} in {entry.pictures:,}", fill)
    yield "</ul>"


def _sizes(figures: SetFigures) -> Iterator[str]:
    yield '<ul class="bars">'
    for (height, width), number in figures.sizes[:SIZES]:
        yield _bar(f"{width} x {height}", number / figures.sizes[0][1], f"{number:,}")
    yield "</ul>"
    rest = figures.sizes[SIZES:]
    if rest:
        number = sum(number for _, number in rest)
        yield f'<p class="faint">{len(rest):,} more sizes of {_count(number, "picture")}</p>'


def _bar(name: str, share: float, number: str, fill: str = "") -> str:
    return (
        f'<li><span title="{escape(name)}">{escape(name)}</span>'
        '<svg viewBox="0 0 100 8" preserveAspectRatio="none">'
        f'<rect width="{100 * share:.2f}" height="8"{fill}/></svg><span>{number}</span></li>'
    )


def _figure(caption: str, jpeg: bytes | None) -> str:
    """A picture with its caption, which is HTML."""
    if jpeg is None:
        return f"<figure><figcaption>{caption}</figcaption></figure>"
    data = base64.b64encode(jpeg).decode("ascii")
    picture = f'<img src="data:image/jpeg;base64,{data}" alt="">'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells of HTML; `_number` makes those that stand at the right."""
    lines = ["".join(f"<th>{escape(name)}</th>" for name in head)]
    lines += ["".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) for row in rows]
    return (
        '<div class="wide"><table>' + "".join(f"<tr>{li}</tr>" for li in lines) + "</table></div>"
    )


def _number(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else escape(str(value))
    return f'<td class="number">{text}</td>'


def _shares(numbers: Sequence[int]) -> list[str]:
    """In percent of their sum."""
    total = sum(numbers)
    return [f"{100 * number / total:.0f} %" if total else "-" for number in numbers]


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def _alarm(is_alarming: bool) -> str:
    return ' class="alarm"' if is_alarming else ""
