"""`summary.json`: what was run on what, how, and what came of it."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from qivis.errors import DataError
from qivis.export.tracks_json import read_tracks, written_times
from qivis.files import write_atomically
from qivis.inference.run_folder import SUMMARY, TRACKS
from qivis.structures import Categories, Category, TrackedClip


@dataclass(frozen=True)
class Summary:
    """A run in short; all of it is plain JSON.

    source: as it was given. name: of the clip.
    width, height: of its frames, in pixels. fps: on average, a fraction. frames: T.
    lost_frames: indices of those that could not be decoded.
    tracks: how many. longest: frames in which the most persistent one is seen.
    run_seconds: that the run took; only the last part of it, if it was resumed.
    device: what the network ran on.
    categories: what was looked for.
    task: everything that the results depend on, with which a run is made again: the clip's size
        and date, the checksum of the weights, all settings.
    versions: of the software.
    pictures: the files of the frames, where the clip is a sequence of pictures.
    edits: made by hand since then, each as in a command line.
    missing: names of files that an edit should have made anew and could not; the next one tries.
    times: of the frames in seconds, None for lost ones, where no entry of a track tells them.
    """

    source: str
    name: str
    width: int
    height: int
    fps: str
    frames: int
    lost_frames: Sequence[int]
    tracks: int
    longest: int
    run_seconds: float
    device: str
    categories: Sequence[dict[str, Any]]
    task: dict[str, Any]
    versions: dict[str, str]
    pictures: Sequence[str] = ()
    edits: Sequence[str] = ()
    missing: Sequence[str] = ()
    times: Sequence[float | None] = ()


def summarize(
    clip: TrackedClip, source: str, name: str, task: dict[str, Any], run_seconds: float, device: str
) -> Summary:
    """The summary of a run that has found `clip`; the arguments are those of `Summary`."""
    height, width = clip.size
    return Summary(
        source=source,
        name=name,
        width=width,
        height=height,
        fps=str(clip.fps),
        frames=len(clip.times),
        lost_frames=[index for index, time in enumerate(clip.times) if time is None],
        tracks=len(clip.tracks),
        longest=_longest(clip),
        run_seconds=round(run_seconds, 3),
        device=device,
        categories=[{"id": category.id, "name": category.name} for category in clip.categories],
        task=task,
        versions=software_versions(),
        times=_untold_times(clip),
    )


def with_tracks(summary: Summary, clip: TrackedClip, edits: Sequence[str]) -> Summary:
    """The summary of a run after edits that have made `clip` of its tracks."""
    return replace(
        summary,
        tracks=len(clip.tracks),
        longest=_longest(clip),
        edits=list(edits),
        times=_untold_times(clip),
    )


def software_versions() -> dict[str, str]:
    """Of what results depend on."""
    packages = {name: _version(name) for name in ("qivis", "av", "numpy")}
    return {"python": platform.python_version(), "torch": str(torch.__version__), **packages}


def write_summary(summary: Summary, folder: Path) -> None:
    """Write it into a run folder, whole or not at all."""
    content = json.dumps(asdict(summary), indent=1)
    write_atomically(folder / SUMMARY, f"{content}\n".encode("ascii"))


def read_run(folder: Path) -> tuple[Summary, TrackedClip]:
    """A finished run.

    Raises:
        DataError: if the folder holds none, or a file is damaged.
    """
    path = folder / SUMMARY
    try:
        summary = Summary(**json.loads(path.read_text(encoding="utf-8")))
        fps, size = Fraction(summary.fps), (summary.height, summary.width)
        categories = Categories(tuple(Category(**entry) for entry in summary.categories))
        times = summary.times or _steady_times(summary, fps)
    except (OSError, ValueError, TypeError, ZeroDivisionError) as error:
        raise DataError(
            f"{path}: cannot be read as the summary of a run ({error}); expected the folder of a "
            "finished run, as qivis-infer makes it"
        ) from error
    return summary, read_tracks(folder / TRACKS, size, fps, times, categories)


def _untold_times(clip: TrackedClip) -> list[float | None]:
    return [] if clip.tracks else written_times(clip)


def _steady_times(summary: Summary, fps: Fraction) -> list[float | None]:
    """What comes nearest where summaries of earlier versions tell no times."""
    lost = set(summary.lost_frames)
    return [None if index in lost else float(index / fps) for index in range(summary.frames)]


def _longest(clip: TrackedClip) -> int:
    return max((track.num_seen for track in clip.tracks), default=0)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
