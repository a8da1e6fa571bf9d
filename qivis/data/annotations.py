"""What the annotation files of images and of videos have in common.

Reading one, choosing its classes, and finding what does not fit the format.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from qivis.errors import DataError
from qivis.ops import rle
from qivis.structures import Categories, Category


def read_annotations(path: Path, form: str, keys: Sequence[str]) -> dict[str, Any]:
    """The content of an annotation file.

    Args:
        path: the file.
        form: what it should be, for messages.
        keys: what it must have.

    Raises:
        DataError: if it cannot be read or has not these keys.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); --data-root names the folder that holds "
            "the data set, see datasets/README.md for its layout"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(content, dict) or not set(keys) <= content.keys():
        raise DataError(f"{path}: expected {form} with {', '.join(map(repr, keys))}")
    return content


def choose_categories(
    content: Mapping[str, Any], class_names: Sequence[str], path: Path
) -> tuple[Categories, dict[int, int]]:
    """The classes, and which label each of the file's category ids has.

    Args:
        content: of the file; its `categories` are looked at.
        class_names: classes to keep, each a category or a supercategory of the file; empty for all
            categories as they are.
        path: the file, for messages.

    Raises:
        DataError: if a category is incomplete, or none has a wanted name.
    """
    for category in content["categories"]:
        check_fields(category, ("id", "name"), path, "category")
    listed = sorted(content["categories"], key=lambda category: category["id"])
    if not class_names:
        entries = tuple(Category(c["id"], c["name"]) for c in listed)
        return Categories(entries), {category.id: i for i, category in enumerate(entries)}
    labels: dict[int, int] = {}
    for category in listed:
        for kind in (category["name"], category.get("supercategory")):
            if kind in class_names:
                labels.setdefault(category["id"], class_names.index(kind))
    missing = set(class_names) - {class_names[label] for label in labels.values()}
    if missing:
        raise DataError(
            f"{path}: no category or supercategory is called {', '.join(sorted(missing))}; "
            f"there are {', '.join(c['name'] for c in listed)}"
        )
    entries = tuple(Category(i + 1, name) for i, name in enumerate(class_names))
    return Categories(entries), labels


def check_fields(
    entry: Mapping[str, Any], keys: Sequence[str], path: Path, kind: str = "annotation"
) -> None:
    """Check that an entry has what it needs.

    Raises:
        DataError: if something is absent, null, or an empty list; `kind` says there what the
            entry is.
    """
    for key in keys:
        if entry.get(key) in (None, []):
            raise DataError(f"{path}: {kind} {entry.get('id')} has no '{key}'")


def check_reference(
    entry: Mapping[str, Any],
    key: str,
    known: Collection[int],
    path: Path,
    kind: str = "annotation",
) -> None:
    """Check that an entry speaks of something that the file lists.

    Raises:
        DataError: if it does not; `kind` says there what the entry is.
    """
    if entry.get(key) not in known:
        raise DataError(
            f"{path}: {kind} {entry.get('id')} has {key} {entry.get(key)}, "
            "which the file does not list"
        )


def to_mask(segmentation: Any, size: tuple[int, int], what: str) -> rle.Rle:
    """Run lengths of any COCO segmentation.

    Args:
        segmentation: polygons, or run lengths as numbers or as a string.
        size: (H, W) of the picture.
        what: whose mask it is, for messages.

    Raises:
        DataError: if it is none of these, or of another size.
    """
    try:
        return rle.from_segmentation(segmentation, size)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{what}: segmentation: {error}") from error
