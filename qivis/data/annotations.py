"""What the annotation files of images and of videos have in common.

Reading one, and choosing its classes.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qivis.data.fields import check_text
from qivis.data.rejects import Sieve
from qivis.errors import DataError
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
    except RecursionError as error:
        raise DataError(f"{path}: not an annotation file (lists in lists, too deep)") from error
    if not isinstance(content, dict) or not set(keys) <= content.keys():
        raise DataError(f"{path}: expected {form} with {', '.join(map(repr, keys))}")
    return content


def read_categories(content: Mapping[str, Any], path: Path, sieve: Sieve) -> list[dict[str, Any]]:
    """The categories of a file that can be used, by rising id.

    Raises:
        DataError: if there is none; if the sieve is strict, at the first that cannot be used.
    """
    listed = sieve.sift(content, "categories", _read_category)
    if not listed:
        raise DataError(f"{path}: 'categories' has none that can be used; expected id and name")
    return sorted(listed, key=lambda category: category["id"])


def choose_categories(
    listed: Sequence[Mapping[str, Any]], class_names: Sequence[str], path: Path
) -> tuple[Categories, dict[int, int]]:
    """The classes, and which label each of the file's category ids has.

    Args:
        listed: the categories of the file, by rising id.
        class_names: classes to keep, each a category or a supercategory of the file; empty for all
            categories as they are.
        path: the file, for messages.

    Raises:
        DataError: if no category has a wanted name, or two classes would have one name.
    """
    if not class_names:
        _check_different([c["name"] for c in listed], f"{path}: 'categories'")
        entries = tuple(Category(c["id"], c["name"]) for c in listed)
        return Categories(entries), {category.id: i for i, category in enumerate(entries)}
    _check_different(class_names, "data.class_names")
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


def _check_different(names: Sequence[str], where: str) -> None:
    """Two classes of one name would have one row in every table of figures."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{where}: expected names that differ, got {', '.join(repeated[:5])} more than once"
        )


def _read_category(category: dict[str, Any]) -> dict[str, Any]:
    check_text(category, "name")
    return category
