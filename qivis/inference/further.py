"""What is made of a finished run without the network: exports, and the page to look through it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from qivis.export.formats import FrameOpener, export_clip
from qivis.inference.summary import read_run
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
            nothing can be written there.
    """
    summary, clip = read_run(folder)
    for name in formats:
        export_clip(name, clip, summary.name, frames, folder)
    if review:
        with tempfile.TemporaryDirectory() as scratch:
            video = Path(scratch) / "proxy.mp4"
            write_proxy(frames(), clip, video)
            write_review(clip, summary.name, video, folder / REVIEW)
