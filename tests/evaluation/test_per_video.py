import os
import sys

import pytest

from qivis.errors import DataError
from qivis.evaluation.per_video import ENOUGH_MASKS, map_videos
from qivis.evaluation.ytvis_input import VideoEntries


def videos(masks: int, number: int = 4) -> list[VideoEntries]:
    """Videos whose results have so many masks together."""
    results = [{"segmentations": [None] * (masks // number)}]
    return [VideoEntries({"id": index}, {}, {1: results}) for index in range(number)]


def number_and_process(entries: VideoEntries) -> tuple[int, int]:
    return entries.video["id"], os.getpid()


def complain(entries: VideoEntries) -> None:
    raise DataError(f"video {entries.video['id']} is strange")


def test_little_work_is_done_at_once() -> None:
    done = map_videos(number_and_process, videos(ENOUGH_MASKS // 2))
    assert done == [(index, os.getpid()) for index in range(4)]


@pytest.mark.skipif(
    sys.platform != "linux" or os.cpu_count() == 1,
    reason="processes are started on Linux with several cores only",
)
def test_much_work_is_done_by_other_processes_in_the_given_order() -> None:
    numbers, processes = zip(*map_videos(number_and_process, videos(ENOUGH_MASKS)), strict=True)
    assert numbers == (0, 1, 2, 3)
    assert os.getpid() not in processes


@pytest.mark.parametrize("masks", [0, ENOUGH_MASKS])
def test_what_goes_wrong_is_told_wherever_it_happens(masks: int) -> None:
    with pytest.raises(DataError, match="video 0 is strange"):
        map_videos(complain, videos(masks))


def test_no_videos_take_no_work() -> None:
    assert map_videos(number_and_process, []) == []
