"""The formats that tracks can be written in, by the names that a person asks for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qivis.errors import DataError
from qivis.export.cityscapes_files import check_class_names, write_cityscapes
from qivis.export.coco_video import write_coco_video
from qivis.export.cutouts import write_cutouts
from qivis.export.mot_txt import write_mot
from qivis.export.mots_txt import write_mots
from qivis.export.png_masks import write_png_masks
from qivis.export.tracks_csv import write_csv
from qivis.export.ytvis_dataset import write_ytvis
from qivis.structures import Frame, TrackedClip

FrameOpener = Callable[[], Iterable[Frame]]


@dataclass(frozen=True)
class Original:
    """The clip itself, as far as formats show its pictures or name them.

    name: of the clip.
    frames: opens it once more; the index of a frame is its place in the clip.
    pictures: the files of its T frames, as folder/name.jpg, if it is a sequence of pictures.
    """

    name: str
    frames: FrameOpener
    pictures: Sequence[str] = ()


@dataclass(frozen=True)
class Export:
    """One format.

    file_name: of the file or folder.
    write: takes the tracks, the clip itself, the path.
    needs_pictures: whether it opens the frames.
    """

    file_name: str
    write: Callable[[TrackedClip, Original, Path], None]
    needs_pictures: bool = False


EXPORTS: Mapping[str, Export] = {
    "ytvis": Export(
        "ytvis.json", lambda clip, of, path: write_ytvis(clip, of.name, path, of.pictures)
    ),
    "coco-video": Export(
        "coco_video.json", lambda clip, of, path: write_coco_video(clip, of.name, path, of.pictures)
    ),
    "mots": Export("mots.txt", lambda clip, _, path: write_mots(clip, path)),
    "mot": Export("mot.txt", lambda clip, _, path: write_mot(clip, path)),
    "png": Export("png", lambda clip, of, path: write_png_masks(clip, path, of.pictures)),
    "cutouts": Export(
        "cutouts", lambda clip, of, path: write_cutouts(clip, of.frames, path), needs_pictures=True
    ),
    "csv": Export("tracks.csv", lambda clip, _, path: write_csv(clip, path)),
    "cityscapes": Export(
        "cityscapes", lambda clip, of, path: write_cityscapes(clip, of.name, path)
    ),
}


def check_formats(formats: Sequence[str], class_names: Sequence[str]) -> None:
    """Check before a run that formats have room for what it looks for.

    Args:
        formats: names in `EXPORTS`.
        class_names: what is looked for.

    Raises:
        DataError: if one has no class of any of these names.
    """
    if "cityscapes" in formats:
        check_class_names(class_names)


def export_clip(format: str, clip: TrackedClip, original: Original, folder: Path) -> Path:
    """Write the tracks of a clip in one of the formats, whole or not at all.

    Args:
        format: a name in `EXPORTS`.
        clip: what was found.
        original: the clip itself, which only cutouts open.
        folder: where to; what an earlier export has left there is replaced.

    Returns:
        The path of the file or folder.

    Raises:
        DataError: if there is no such format, the format has no room for the tracks, or nothing
            can be written there.
        VideoError: if the clip cannot be decoded any more.
    """
    if format not in EXPORTS:
        raise DataError(f"there is no export {format!r}; there are {', '.join(EXPORTS)}")
    path = folder / EXPORTS[format].file_name
    try:
        EXPORTS[format].write(clip, original, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path
