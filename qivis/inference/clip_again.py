"""The clip of a finished run, decoded once more."""

from collections.abc import Iterator

from qivis.data.video import is_live, open_video, stats_of
from qivis.errors import VideoError
from qivis.inference.run import Plan, wanted
from qivis.inference.summary import Summary
from qivis.structures import Frame


def frames_again(summary: Summary) -> Iterator[Frame]:
    """The frames of a run, numbered as in it.

    Args:
        summary: of the run.

    Raises:
        VideoError: if the clip was live, is gone, or is not what it was.
    """
    task = summary.task
    _check_unchanged(task["source"], task["bytes"])
    lost = set(summary.lost_frames)
    expected = (index for index in range(summary.frames) if index not in lost)
    largest = summary.height * summary.width
    plan = Plan(task["stride"], task["seconds"], labels=None, overlay=False, frames_per_call=1)
    with open_video(task["source"], task["decoder"], largest, task["max_frames"]) as reader:
        for frame in wanted(reader, plan):
            if frame.index != next(expected, None) or frame.size != (summary.height, summary.width):
                raise _not_the_same(task["source"])
            yield frame
    if next(expected, None) is not None:
        raise _not_the_same(task["source"])


def _check_unchanged(source: str, num_bytes: int | None) -> None:
    """Before anything is opened: a camera must not be, and much can be seen from the file alone.

    Args:
        source: as the run says it.
        num_bytes: of its files together; None where nobody has counted them.
    """
    if is_live(source):
        raise VideoError(f"{source}: was live, and cannot be seen once more")
    stats = stats_of(source)
    if not stats:
        raise VideoError(f"{source}: is no longer there; put it back, and run the command again")
    if num_bytes not in (None, sum(stat.st_size for stat in stats)):
        raise _not_the_same(source)


def _not_the_same(source: str) -> VideoError:
    return VideoError(f"{source}: is no longer the clip in which the tracks were found")
