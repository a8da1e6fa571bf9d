"""Join sets in COCO format into one, without copying a picture.

    python datasets/join_coco.py datasets/joined.json \
        --set datasets/coco/train2017 datasets/coco/annotations/instances_train2017.json \
        --set datasets/farm/images datasets/farm/instances.json

Pictures are named by their paths below the folder of the joined file, so that this folder is the
folder of its pictures. Categories of the same name become one; ids are given anew.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qivis.errors import DataError, QivisError
from qivis.files import write_atomically


def join(sets: Sequence[tuple[Path, Path]], folder: Path) -> dict[str, Any]:
    """The content of the joined file.

    Args:
        sets: the folder of the pictures and the annotation file of each.
        folder: that the paths of the pictures are to be relative to.

    Raises:
        DataError: if an annotation file cannot be read, or pictures are not below the folder: file
            names in annotations may not lead out of it.
    """
    joined: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": []}
    numbers: dict[str, int] = {}  # of categories, by their names
    for pictures, path in sets:
        content = _read(path)
        below = Path(os.path.relpath(pictures, folder))
        if ".." in below.parts:
            raise DataError(
                f"{pictures}: not below {folder}, the folder of the joined file; write that to a "
                "folder that all pictures are below"
            )
        for category in content["categories"]:
            if category["name"] not in numbers:
                numbers[category["name"]] = len(numbers) + 1
                joined["categories"].append({**category, "id": len(numbers)})
        names = {category["id"]: category["name"] for category in content["categories"]}
        ids: dict[Any, int] = {}  # of pictures
        for image in content["images"]:
            ids[image["id"]] = len(joined["images"]) + 1
            name = (below / image["file_name"]).as_posix()
            joined["images"].append({**image, "id": ids[image["id"]], "file_name": name})
        for annotation in content["annotations"]:
            changed = {
                "id": len(joined["annotations"]) + 1,
                "image_id": ids[annotation["image_id"]],
                "category_id": numbers[names[annotation["category_id"]]],
            }
            joined["annotations"].append({**annotation, **changed})
    return joined


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from error
    missing = {"images", "annotations", "categories"} - set(content)
    if missing:
        raise DataError(f"{path}: not in COCO format, it has no {', '.join(sorted(missing))}")
    return dict(content)


def main(argv: Sequence[str] | None = None) -> None:
    """Join the sets that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument(
        "--set",
        dest="sets",
        nargs=2,
        type=Path,
        action="append",
        required=True,
        metavar=("IMAGES", "JSON"),
        help="folder of pictures and annotation file; may be given several times",
    )
    args = parser.parse_args(argv)
    try:
        content = join(args.sets, args.out.parent)
    except QivisError as error:
        parser.error(str(error))
    write_atomically(args.out, json.dumps(content).encode("ascii"))
    print(f"{len(content['images'])} pictures, {len(content['annotations'])} objects")


if __name__ == "__main__":
    main()
