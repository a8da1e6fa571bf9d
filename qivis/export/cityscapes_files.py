"""Results as the evaluation of Cityscapes reads them: a list for each picture, a PNG for each mask.

Format: cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling. A list has a line for each
mask with its path, the id of its class and its score.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from qivis.errors import DataError
from qivis.export.by_frame import objects_in
from qivis.export.png_files import write_mask
from qivis.files import atomic_folder
from qivis.ops import rle
from qivis.structures import Rle, TrackedClip
from qivis.structures.cityscapes import CITYSCAPES
from qivis.wording import counted

log = logging.getLogger(__name__)

SEQUENCE = "000000"  # the one that frames of a clip are of

Instance = tuple[int, float, Rle]
"""Official class id, score, and mask."""


def write_picture(folder: Path, name: str, instances: Iterable[Instance]) -> None:
    """Write what was found in one picture: NAME.txt, and for each mask NAME/000.png, 001.png ...

    Args:
        folder: that exists.
        name: city, sequence and frame, as files of the picture begin; without spaces.
        instances: empty masks are not written, for the evaluation does not look at them.
    """
    lines: list[str] = []
    for class_id, score, mask in instances:
        if rle.area(mask):
            path = f"{name}/{len(lines):03d}.png"
            (folder / name).mkdir(exist_ok=True)
            height, width = mask["size"]
            write_mask(folder / path, rle.decode([mask], (height, width))[0].numpy())
            lines.append(f"{path} {class_id} {score}\n")
    (folder / f"{name}.txt").write_text("".join(lines), encoding="ascii", newline="\n")


def write_cityscapes(clip: TrackedClip, name: str, folder: Path) -> None:
    """Write what was found in T frames, all of it or nothing.

    The clip is the city, frames are those of its one sequence: my-clip_000000_000017.txt. Tracks of
    classes that Cityscapes does not have are left out, and a warning says how many.

    Args:
        clip: what was found.
        name: of the clip; all but letters and digits becomes a dash.
        folder: where to.
    """
    ids = class_ids(clip.categories.names)
    _warn_of_others(clip, ids, folder)
    city = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "clip"
    with atomic_folder(folder) as partial:
        for frame in range(len(clip.times)):
            write_picture(partial, f"{city}_{SEQUENCE}_{frame:06d}", _instances(clip, frame, ids))


def class_ids(names: Sequence[str]) -> list[int | None]:
    """What Cityscapes calls each of K classes; None for those that it does not have."""
    known = {category.name: category.id for category in CITYSCAPES}
    return [known.get(name.lower()) for name in names]


def check_class_names(names: Sequence[str]) -> None:
    """Check that there is something to write.

    Raises:
        DataError: if Cityscapes has none of these classes.
    """
    if not any(class_ids(names)):
        raise DataError(
            f"cityscapes has none of the {len(names)} classes that are looked for; it has "
            f"{', '.join(CITYSCAPES.names)}"
        )


def _instances(clip: TrackedClip, frame: int, ids: Sequence[int | None]) -> Iterable[Instance]:
    for track, view in objects_in(clip, frame):
        class_id = ids[track.label]
        if class_id is not None:
            yield class_id, view.score, view.mask


def _warn_of_others(clip: TrackedClip, ids: Sequence[int | None], folder: Path) -> None:
    others = [clip.categories.names[t.label] for t in clip.tracks if ids[t.label] is None]
    if others:
        log.warning(
            "%s: %d of %s left out, for Cityscapes has no class %s",
            folder,
            len(others),
            counted(len(clip.tracks), "track"),
            ", ".join(sorted(set(others))),
        )
