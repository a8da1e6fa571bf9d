"""The watch on what can hang."""

import os
import time

import pytest

from qivis.data.video.deadline import within
from qivis.data.video.source import DecoderStoppedError


def test_what_returns_in_time_is_passed_on() -> None:
    assert within(10, lambda: 6 * 7) == 42


def test_what_fails_in_time_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_an_answer_that_others_did_not_get_in_time_is_no_hang() -> None:
    def work() -> None:
        raise TimeoutError("the share does not answer")

    with pytest.raises(TimeoutError, match="the share does not answer"):
        within(10, work)


def test_what_hangs_is_left_alone() -> None:
    # Nobody writes into the pipe, so that reading from it blocks as a hanging library does.
    reading_end, writing_end = os.pipe()
    started = time.perf_counter()
    with pytest.raises(DecoderStoppedError, match=r"no answer within 0\.05 s"):
        within(0.05, lambda: os.read(reading_end, 1))
    assert time.perf_counter() - started < 5
    os.close(writing_end)  # ends the thread
