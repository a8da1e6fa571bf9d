"""What is made of a finished run without the network: exports, and the page to look through it."""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from qivis.errors import DataError, QivisError
from qivis.export.formats import EXPORTS, FrameOpener, Original, export_clip
from qivis.inference.summary import read_run
from qivis.structures import TrackedClip
from qivis.viz.review import write_proxy, write_review

REVIEW = "review.html"


def write_further(
    folder: Path, formats: Sequence[str], frames: FrameOpener, *, review: bool
) -> None:
    """Write exports and the review page of a run into its folder, each whole or not at all.

    Args:
        folder: of a finished run.
        formats: names in `EXPORTS`.
        frames: opens the clip once more, numbered as in the run.
        review: whether to make the page.

    Raises:
        QivisError: if a format has no room for the tracks, the clip cannot be decoded any more, or
            nothing can be written there; what can be had is written all the same.
    """
    summary, clip = read_run(folder)
    original = Original(summary.name, frames, summary.pictures)
    tasks: list[Callable[[], object]]
    tasks = [partial(export_clip, name, clip, original, folder) for name in formats]
    if review:
        tasks.append(partial(_write_page, clip, summary.name, frames, folder / REVIEW))
    failed = []
    for task in tasks:
        try:
            task()
        except QivisError as error:
            failed.append(error)
    if failed:
        raise DataError("; ".join(map(str, failed))) from failed[0]


def needs_pictures(formats: Sequence[str], *, review: bool) -> list[str]:
    """Of what is asked for, that for which a clip is decoded once more."""
    asked = [name for name in formats if EXPORTS[name].needs_pictures]
    return [*asked, "review"] if review else asked


def _write_page(clip: TrackedClip, name: str, frames: FrameOpener, path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch) / "proxy.mp4"
        write_proxy(frames(), clip, video)
        write_review(clip, name, video, path)
